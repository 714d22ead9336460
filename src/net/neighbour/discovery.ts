/**
 * Neighbour solicitations and advertisements (RFC 4861, sections 4.3 and 4.4): whole frames out, ICMPv6 messages in.
 *
 *     0      1      2     4       8        24     25       26
 *     | type | code | sum | flags | target | option | 1 | MAC |
 */

import { type Addr, addrFromBytes } from "../addr.ts";
import { type Mac, macBytes, macFromBytes } from "../mac.ts";

export const SOLICITATION = 135;
export const ADVERTISEMENT = 136;
const ETHER_BYTES = 14;
const IPV6_BYTES = 40;
const MESSAGE_BYTES = 32;
const ICMPV6 = 58;
const SOURCE_MAC = 1;
const TARGET_MAC = 2;
/** Solicited, override; Twill's node is a router, but not of this address. */
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;
const UNSPECIFIED = new Uint8Array(16);
/** ff02::1 */
const ALL_NODES = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** What one message says. */
export interface NeighbourMessage {
  readonly kind: "solicitation" | "advertisement";
  readonly target: Addr;
  /** Link-layer address that it names: the asker's, or the target's. */
  readonly mac: Mac | undefined;
}

/** Group in which solicitations for an address come (RFC 4291, section 2.7.1). */
export function solicitedNode(a: Addr): Uint8Array {
  const group = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(a.bytes.subarray(13), 13);
  return group;
}

function groupMac(group: Uint8Array): Uint8Array {
  return Uint8Array.of(0x33, 0x33, ...group.subarray(12));
}

/** RFC 1071 over the pseudo-header of RFC 8200, section 8.1, and the message. */
function checksum(src: Uint8Array, dst: Uint8Array, message: Uint8Array): number {
  let sum = message.length + ICMPV6;
  for (const part of [src, dst, message])
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) + (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function frame(
  macs: { dst: Uint8Array; src: Uint8Array },
  ip: { dst: Uint8Array; src: Uint8Array },
  message: Uint8Array,
) {
  const out = new Uint8Array(ETHER_BYTES + IPV6_BYTES + message.length);
  out.set(macs.dst, 0);
  out.set(macs.src, 6);
  out.set([0x86, 0xdd, 0x60], 12);
  out.set([0, message.length, ICMPV6, 255], ETHER_BYTES + 4);
  out.set(ip.src, ETHER_BYTES + 8);
  out.set(ip.dst, ETHER_BYTES + 24);
  const sum = checksum(ip.src, ip.dst, message);
  message.set([sum >> 8, sum & 0xff], 2);
  out.set(message, ETHER_BYTES + IPV6_BYTES);
  return out;
}

function message(type: number, flags: number, target: Addr, option: number, mac: Uint8Array): Uint8Array {
  const out = new Uint8Array(MESSAGE_BYTES);
  out[0] = type;
  out[4] = flags;
  out.set(target.bytes, 8);
  out.set([option, 1], 24);
  out.set(mac, 26);
  return out;
}

/** The answer to a solicitation; to everybody where the asker has no address yet. */
export function advertisement(
  own: Mac,
  target: Addr,
  asker: { readonly addr: Addr; readonly mac: Mac } | undefined,
): Uint8Array {
  const mac = macBytes(own);
  if (asker === undefined) {
    const body = message(ADVERTISEMENT, FLAG_OVERRIDE, target, TARGET_MAC, mac);
    return frame({ dst: groupMac(ALL_NODES), src: mac }, { dst: ALL_NODES, src: target.bytes }, body);
  }
  const body = message(ADVERTISEMENT, FLAG_SOLICITED | FLAG_OVERRIDE, target, TARGET_MAC, mac);
  return frame({ dst: macBytes(asker.mac), src: mac }, { dst: asker.addr.bytes, src: target.bytes }, body);
}

/** "Who has it?" without a word on who asks, as in duplicate address detection (RFC 4862, section 5.4.2): all hear the answer. */
export function probeSolicitation(own: Mac, target: Addr): Uint8Array {
  const group = solicitedNode(target);
  // Without a source address no link-layer address may be told: the message ends with the target.
  const body = message(SOLICITATION, 0, target, SOURCE_MAC, new Uint8Array(6)).subarray(0, 24).slice();
  return frame({ dst: groupMac(group), src: macBytes(own) }, { dst: group, src: UNSPECIFIED }, body);
}

/** Reads an ICMPv6 message, checksum verified by the kernel; undefined when it is none of the two. */
export function readNeighbour(bytes: Uint8Array): NeighbourMessage | undefined {
  const kind = bytes[0] === SOLICITATION ? "solicitation" : bytes[0] === ADVERTISEMENT ? "advertisement" : undefined;
  if (kind === undefined || bytes.length < 24 || bytes[1] !== 0) return undefined;
  const wanted = kind === "solicitation" ? SOURCE_MAC : TARGET_MAC;
  let mac: Mac | undefined;
  for (let at = 24; at + 8 <= bytes.length; at += 8 * (bytes[at + 1] || bytes.length))
    if (bytes[at] === wanted && bytes[at + 1] === 1) mac = macFromBytes(bytes.slice(at + 2, at + 8));
  return { kind, target: addrFromBytes(bytes.slice(8, 24)), mac };
}
