/** Frames that come out of a program, taken apart with every checksum verified by a sum over the whole. */

import { addrFromBytes } from "../../src/net/addr.ts";
import { macFromBytes } from "../../src/net/mac.ts";
import { pseudoHeader, sum16 } from "./checksums.ts";
import { PROTO } from "./frames.ts";

/** What a frame says of itself. */
export interface Dissected {
  readonly srcMac: string;
  readonly dstMac: string;
  readonly src: string;
  readonly dst: string;
  readonly ttl: number;
  readonly protocol: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly transport: Uint8Array;
  /** Checksums that do not add up: "ip", "tcp", "udp", "icmp". */
  readonly wrongSums: readonly string[];
}

interface Layout {
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly ttl: number;
  readonly protocol: number;
  readonly transport: Uint8Array;
  readonly isFragment: boolean;
  readonly isHeaderSumWrong: boolean;
}

function layout4(p: Uint8Array): Layout {
  const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
  const header = ((p[0] ?? 0) & 15) * 4;
  const total = Math.min(view.getUint16(2), p.length);
  return {
    src: p.slice(12, 16),
    dst: p.slice(16, 20),
    ttl: p[8] ?? 0,
    protocol: p[9] ?? 0,
    transport: p.slice(header, total),
    isFragment: (view.getUint16(6) & 0x3fff) !== 0,
    isHeaderSumWrong: sum16(p.subarray(0, header)) !== 0xffff,
  };
}

function layout6(p: Uint8Array): Layout {
  const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
  const end = Math.min(40 + view.getUint16(4), p.length);
  let [next, at, isFragment] = [p[6] ?? 0, 40, false];
  const extensions: readonly number[] = [PROTO.hopByHop, PROTO.routing, PROTO.fragment, PROTO.destination];
  // Each has at least 8 bytes (RFC 8200 section 4): what is shorter is cut off and no header.
  while (extensions.includes(next) && at + 8 <= end) {
    if (next === PROTO.fragment) isFragment ||= (view.getUint16(at + 2) & 0xfff9) !== 0;
    const length = next === PROTO.fragment ? 8 : ((p[at + 1] ?? 0) + 1) * 8;
    next = p[at] ?? 0;
    at += length;
  }
  return {
    src: p.slice(8, 24),
    dst: p.slice(24, 40),
    ttl: p[7] ?? 0,
    protocol: next,
    transport: p.slice(at, end),
    isFragment,
    isHeaderSumWrong: false,
  };
}

function isTransportSumWrong(l: Layout): boolean {
  const t = l.transport;
  // The sum is over the whole datagram: a fragment has only a part of it.
  if (l.isFragment) return false;
  const pseudo = pseudoHeader(l.src, l.dst, l.protocol, t.length);
  if (l.protocol === PROTO.tcp) return sum16(t, sum16(pseudo)) !== 0xffff;
  if (l.protocol === PROTO.udp) return ((t[6] ?? 0) | (t[7] ?? 0)) !== 0 && sum16(t, sum16(pseudo)) !== 0xffff;
  if (l.protocol === PROTO.icmp && l.src.length === 4) return sum16(t) !== 0xffff;
  if (l.protocol === PROTO.icmp6 && l.src.length === 16) return sum16(t, sum16(pseudo)) !== 0xffff;
  return false;
}

/** An IP packet, taken apart; `isWhole` false skips the transport checksum of a quotation that was cut. */
export function dissectIp(p: Uint8Array, isWhole = true): Omit<Dissected, "srcMac" | "dstMac"> {
  const l = (p[0] ?? 0) >> 4 === 4 ? layout4(p) : layout6(p);
  const wrongSums = [];
  if (l.isHeaderSumWrong) wrongSums.push("ip");
  if (isWhole && isTransportSumWrong(l)) wrongSums.push("transport");
  const word = (at: number) => ((l.transport[at] ?? 0) << 8) | (l.transport[at + 1] ?? 0);
  const isIcmp = l.protocol === PROTO.icmp || l.protocol === PROTO.icmp6;
  return {
    src: addrFromBytes(l.src).text,
    dst: addrFromBytes(l.dst).text,
    ttl: l.ttl,
    protocol: l.protocol,
    // An echo's identifier stands in for its ports, as in the programs.
    srcPort: word(isIcmp ? 4 : 0),
    dstPort: word(isIcmp ? 4 : 2),
    transport: l.transport,
    wrongSums,
  };
}

/** A frame, taken apart. */
export function dissect(f: Uint8Array): Dissected {
  return {
    dstMac: macFromBytes(f.slice(0, 6)),
    srcMac: macFromBytes(f.slice(6, 12)),
    ...dissectIp(f.slice(14)),
  };
}
