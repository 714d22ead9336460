/**
 * ARP for IPv4 over Ethernet (RFC 826), as whole frames.
 *
 *     0     6     12       14       16       18   19   20    22         28        32         38
 *     | dst | src | 0x0806 | 0x0001 | 0x0800 | 6  | 4  | op | sender MAC | sender | target MAC | target |
 */

import { type Addr, addrFromBytes } from "../addr.ts";
import { type Mac, macBytes, macFromBytes } from "../mac.ts";

/** Without the padding to 60 bytes. */
const FRAME_BYTES = 42;
const PADDED_BYTES = 60;
export const ETHERTYPE_ARP = 0x0806;
const HEAD = [0x00, 0x01, 0x08, 0x00, 6, 4] as const;
const BROADCAST = new Uint8Array(6).fill(0xff);

/** What one frame says. */
export interface Arp {
  readonly operation: "request" | "reply";
  readonly senderMac: Mac;
  readonly sender: Addr;
  readonly target: Addr;
}

function fourOf(a: Addr): Uint8Array {
  return a.bytes.subarray(12);
}

function write(op: number, dst: Uint8Array, src: Uint8Array, fields: readonly Uint8Array[]): Uint8Array {
  const frame = new Uint8Array(PADDED_BYTES);
  frame.set(dst, 0);
  frame.set(src, 6);
  frame.set([ETHERTYPE_ARP >> 8, ETHERTYPE_ARP & 0xff, ...HEAD, 0, op], 12);
  let at = 22;
  for (const field of fields) {
    frame.set(field, at);
    at += field.length;
  }
  return frame;
}

/** The answer to a request. */
export function arpReply(own: Mac, request: Arp): Uint8Array {
  const [mac, asker] = [macBytes(own), macBytes(request.senderMac)];
  return write(2, asker, mac, [mac, fourOf(request.target), asker, fourOf(request.sender)]);
}

/** "Who has it?", without a word on who asks: nobody notes anything of it (RFC 5227, section 2.1). */
export function arpProbe(own: Mac, target: Addr): Uint8Array {
  const mac = macBytes(own);
  return write(1, BROADCAST, mac, [mac, new Uint8Array(4), new Uint8Array(6), fourOf(target)]);
}

/** "I have it now" (RFC 5227, section 2.3): neighbours that know another MAC of the address take this one. */
export function arpAnnouncement(own: Mac, address: Addr): Uint8Array {
  const mac = macBytes(own);
  return write(1, BROADCAST, mac, [mac, fourOf(address), new Uint8Array(6), fourOf(address)]);
}

function addrAt(frame: Uint8Array, at: number): Addr {
  const bytes = new Uint8Array(16);
  bytes.fill(0xff, 10, 12);
  bytes.set(frame.subarray(at, at + 4), 12);
  return addrFromBytes(bytes);
}

/** Reads a frame; undefined when it is no ARP of IPv4 over Ethernet, or its two senders differ. */
export function readArp(frame: Uint8Array): Arp | undefined {
  if (frame.length < FRAME_BYTES || ((frame[12] ?? 0) << 8) + (frame[13] ?? 0) !== ETHERTYPE_ARP) return undefined;
  if (HEAD.some((byte, i) => frame[14 + i] !== byte) || frame[20] !== 0) return undefined;
  const operation = frame[21] === 1 ? "request" : frame[21] === 2 ? "reply" : undefined;
  const senderMac = macFromBytes(frame.subarray(22, 28));
  if (operation === undefined || macFromBytes(frame.subarray(6, 12)) !== senderMac) return undefined;
  return { operation, senderMac, sender: addrAt(frame, 28), target: addrAt(frame, 38) };
}
