/** Ethernet frames for the packet tests: made from words, taken apart and verified. */

import { addr, wireBytes } from "../../src/net/addr.ts";
import { mac, macBytes } from "../../src/net/mac.ts";
import { checksum, pseudoHeader } from "./checksums.ts";

/** Protocol numbers (IANA). */
export const PROTO = {
  hopByHop: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  gre: 47,
  ah: 51,
  icmp6: 58,
  destination: 60,
  ospf: 89,
  sctp: 132,
} as const;

export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

/** A packet from the transport header on. */
export interface Transport {
  readonly protocol: number;
  readonly bytes: Uint8Array;
  /** Where its checksum lies; undefined: it has none. */
  readonly sumAt?: number | undefined;
  /** Whether addresses are part of the sum. */
  readonly hasPseudo?: boolean;
}

function bytesOf(...parts: (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((p) => [...p]));
}

function be16(n: number): number[] {
  return [(n >> 8) & 0xff, n & 0xff];
}

/** A payload that differs at every byte. */
export function payload(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 0xff);
}

export interface TcpOptions {
  readonly flags?: number;
  readonly options?: readonly number[];
  readonly data?: Uint8Array;
}

/** A TCP segment; options are padded to 4 bytes with end-of-list. */
export function tcp(srcPort: number, dstPort: number, o: TcpOptions = {}): Transport {
  const options = [...(o.options ?? [])];
  while (options.length % 4 !== 0) options.push(0);
  const head = [...be16(srcPort), ...be16(dstPort), 0, 0, 0, 9, 0, 0, 0, 5, ((20 + options.length) / 4) << 4];
  const rest = [o.flags ?? TCP_FLAG.ack, 0x20, 0, 0, 0, 0, 0];
  return { protocol: PROTO.tcp, bytes: bytesOf(head, rest, options, o.data ?? payload(5)), sumAt: 16, hasPseudo: true };
}

/** A UDP datagram; `sum: false` leaves the checksum zero, which says that there is none. */
export function udp(srcPort: number, dstPort: number, data: Uint8Array = payload(8), sum = true): Transport {
  const bytes = bytesOf(be16(srcPort), be16(dstPort), be16(8 + data.length), [0, 0], data);
  return { protocol: PROTO.udp, bytes, sumAt: sum ? 6 : undefined, hasPseudo: true };
}

/** An ICMP message with its four type-specific bytes. */
export function icmp(type: number, code: number, specific: readonly number[], data: Uint8Array): Transport {
  return { protocol: PROTO.icmp, bytes: bytesOf([type, code, 0, 0], specific, data), sumAt: 2, hasPseudo: false };
}

export function icmp6(type: number, code: number, specific: readonly number[], data: Uint8Array): Transport {
  return { protocol: PROTO.icmp6, bytes: bytesOf([type, code, 0, 0], specific, data), sumAt: 2, hasPseudo: true };
}

/** Echo of the family that the addresses will have. */
export function echo(family: 4 | 6, id: number, isReply = false, data: Uint8Array = payload(8)): Transport {
  const specific = [...be16(id), 0, 1];
  if (family === 4) return icmp(isReply ? 0 : 8, 0, specific, data);
  return icmp6(isReply ? 129 : 128, 0, specific, data);
}

/** A protocol of which nothing is known but its ports or first bytes. */
export function raw(protocol: number, bytes: Uint8Array): Transport {
  return { protocol, bytes };
}

export function sctp(srcPort: number, dstPort: number): Transport {
  return raw(PROTO.sctp, bytesOf(be16(srcPort), be16(dstPort), [1, 2, 3, 4, 9, 9, 9, 9], payload(8)));
}

export interface IpOptions {
  readonly ttl?: number;
  /** IPv4: identification, flags and offset in 8-byte units; IPv6: a fragment header is put in. */
  readonly fragment?: { readonly id: number; readonly offset: number; readonly more: boolean };
  /** IPv4 options, a multiple of 4 bytes. */
  readonly options?: readonly number[];
  /** IPv6 extension headers before the fragment header: their kinds, each 8 bytes of padding. */
  readonly extensions?: readonly number[];
  /** Leaves the transport checksum as it is: the bytes are the tail of something larger. */
  readonly keepSum?: boolean;
  /** Type of service or traffic class, with the ECN bits in the lower two. */
  readonly tos?: number;
  readonly dontFragment?: boolean;
}

function withSum(src: Uint8Array, dst: Uint8Array, t: Transport): Uint8Array {
  const out = t.bytes.slice();
  if (t.sumAt === undefined) return out;
  const pseudo = t.hasPseudo === true ? pseudoHeader(src, dst, t.protocol, out.length) : undefined;
  const sum = checksum(out, pseudo);
  new DataView(out.buffer).setUint16(t.sumAt, t.protocol === PROTO.udp && sum === 0 ? 0xffff : sum);
  return out;
}

function ip4(src: Uint8Array, dst: Uint8Array, t: Transport, o: IpOptions): Uint8Array {
  const options = o.options ?? [];
  const body = o.keepSum === true ? t.bytes : withSum(src, dst, t);
  const head = new Uint8Array(20 + options.length);
  const view = new DataView(head.buffer);
  head[0] = 0x40 | ((20 + options.length) / 4);
  head[1] = o.tos ?? 0;
  view.setUint16(2, head.length + body.length);
  view.setUint16(4, o.fragment?.id ?? 0x1234);
  const df = o.dontFragment === true ? 0x4000 : 0;
  view.setUint16(6, df | (o.fragment?.more === true ? 0x2000 : 0) | (o.fragment?.offset ?? 0));
  head[8] = o.ttl ?? 64;
  head[9] = t.protocol;
  head.set(src, 12);
  head.set(dst, 16);
  head.set(options, 20);
  view.setUint16(10, checksum(head));
  return bytesOf(head, body);
}

function ip6(src: Uint8Array, dst: Uint8Array, t: Transport, o: IpOptions): Uint8Array {
  const body = o.keepSum === true ? t.bytes : withSum(src, dst, t);
  const kinds = [...(o.extensions ?? []), ...(o.fragment === undefined ? [] : [PROTO.fragment])];
  const extensions = kinds.flatMap((kind, i) => {
    const next = kinds[i + 1] ?? t.protocol;
    if (kind !== PROTO.fragment) return [next, kind === PROTO.ah ? 0 : 0, 1, 4, 0, 0, 0, 0];
    const f = o.fragment ?? { id: 0, offset: 0, more: false };
    return [next, 0, ...be16((f.offset << 3) | (f.more ? 1 : 0)), 0, 0, ...be16(f.id)];
  });
  const head = new Uint8Array(40);
  const view = new DataView(head.buffer);
  head[0] = 0x60 | ((o.tos ?? 0) >> 4);
  head[1] = ((o.tos ?? 0) << 4) & 0xf0;
  view.setUint16(4, extensions.length + body.length);
  head[6] = kinds[0] ?? t.protocol;
  head[7] = o.ttl ?? 64;
  head.set(src, 8);
  head.set(dst, 24);
  return bytesOf(head, extensions, body);
}

/** An IP packet without Ethernet, as it lies inside an ICMP error. */
export function ipPacket(src: string, dst: string, t: Transport, o: IpOptions = {}): Uint8Array {
  const [s, d] = [wireBytes(addr(src)), wireBytes(addr(dst))];
  return s.length === 4 ? ip4(s, d, t, o) : ip6(s, d, t, o);
}

export interface EthernetOptions extends IpOptions {
  readonly srcMac?: string;
  readonly dstMac?: string;
  readonly etherType?: number;
}

/** A whole frame between two addresses. */
export function frame(src: string, dst: string, t: Transport, o: EthernetOptions = {}): Uint8Array {
  const packet = ipPacket(src, dst, t, o);
  const etherType = o.etherType ?? (src.includes(":") ? 0x86dd : 0x0800);
  return bytesOf(
    macBytes(mac(o.dstMac ?? "ee:ee:ee:ee:ee:ee")),
    macBytes(mac(o.srcMac ?? "0a:58:00:00:00:10")),
    be16(etherType),
    packet,
  );
}

export interface VxlanOptions extends EthernetOptions {
  readonly vni: number;
  readonly port?: number;
  readonly flags?: number;
  /** With an outer UDP checksum. */
  readonly sum?: boolean;
}

/** A frame inside VXLAN (RFC 7348 section 5). */
export function vxlan(src: string, dst: string, inner: Uint8Array, o: VxlanOptions): Uint8Array {
  const vni = [(o.vni >> 16) & 0xff, (o.vni >> 8) & 0xff, o.vni & 0xff];
  const data = bytesOf([o.flags ?? 8, 0, 0, 0], vni, [0], inner);
  return frame(src, dst, udp(50_000, o.port ?? 8472, data, o.sum === true), o);
}

/** A copy with some bytes replaced. */
export function patched(bytes: Uint8Array, at: number, ...values: readonly number[]): Uint8Array {
  const out = bytes.slice();
  out.set(values, at);
  return out;
}

export interface ArpOptions {
  readonly operation?: number;
  readonly senderMac?: string;
  readonly frameMac?: string;
}

/** An ARP frame of Ethernet and IPv4. */
export function arp(sender: string, target: string, o: ArpOptions = {}): Uint8Array {
  const own = macBytes(mac(o.senderMac ?? "0a:58:00:00:00:10"));
  return bytesOf(
    macBytes(mac("ff:ff:ff:ff:ff:ff")),
    o.frameMac === undefined ? own : macBytes(mac(o.frameMac)),
    [0x08, 0x06, 0, 1, 8, 0, 6, 4],
    be16(o.operation ?? 1),
    own,
    wireBytes(addr(sender)),
    [0, 0, 0, 0, 0, 0],
    wireBytes(addr(target)),
  );
}

/** An ICMP error about a packet, from which at most `keep` bytes are quoted. */
export function icmpError(family: 4 | 6, quoted: Uint8Array, keep = 548): Transport {
  const data = quoted.subarray(0, keep);
  return family === 4 ? icmp(3, 4, [0, 0, 5, 0x78], data) : icmp6(2, 0, [0, 0, 5, 0x78], data);
}
