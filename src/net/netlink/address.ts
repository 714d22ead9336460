/** RTM_*ADDR: interface addresses. Payload is an ifaddrmsg (family u8, length u8, flags u8, scope u8, index u32), attributes. */

import { type Addr, addrFromBytes, wireBytes } from "../addr.ts";
import type { InterfaceAddr } from "../prefix.ts";
import { AF, IFA, IFA_F, RTM } from "./constants.ts";
import { readAttrs, readU8, readU32 } from "./reader.ts";
import type { NetlinkWriter } from "./writer.ts";

const IFADDRMSG_BYTES = 8;

/** An interface address as a message of the kernel's shows it. */
export interface AddressMessage {
  readonly index: number;
  readonly address: InterfaceAddr;
  readonly flags: number;
}

/** The kernel's number of a family. */
export function familyNumber(a: Addr): number {
  return a.family === 4 ? AF.INET : AF.INET6;
}

/** An address of the family that a message names; undefined when the bytes are none. */
export function readAddr(family: number | undefined, bytes: Uint8Array | undefined): Addr | undefined {
  const wanted = family === AF.INET ? 4 : family === AF.INET6 ? 16 : -1;
  return bytes?.length === wanted ? addrFromBytes(bytes) : undefined;
}

/** Which address of which device. */
interface AddressRequest {
  readonly index: number;
  readonly address: InterfaceAddr;
  readonly flags: number;
  readonly sequence: number;
}

/** Adds an address without duplicate address detection: Twill's own are unique by construction. */
export function writeNewAddr(w: NetlinkWriter, options: AddressRequest): void {
  w.begin(RTM.NEWADDR, options.flags, options.sequence);
  writeAddr(w, options.index, options.address);
  if (options.address.addr.family === 6) w.attrU32(IFA.FLAGS, IFA_F.NODAD);
  w.end();
}

/** Removes an address. */
export function writeDelAddr(w: NetlinkWriter, options: AddressRequest): void {
  w.begin(RTM.DELADDR, options.flags, options.sequence);
  writeAddr(w, options.index, options.address);
  w.end();
}

function writeAddr(w: NetlinkWriter, index: number, address: InterfaceAddr): void {
  const bytes = wireBytes(address.addr);
  w.u8(familyNumber(address.addr)).u8(address.length).u8(0).u8(0).u32(index);
  w.attr(IFA.LOCAL, bytes).attr(IFA.ADDRESS, bytes);
}

/** Asks for the addresses of one device (flag DUMP), or with index 0 for all. */
export function writeGetAddr(w: NetlinkWriter, index: number, flags: number, sequence: number): void {
  w.begin(RTM.GETADDR, flags, sequence);
  w.u8(AF.UNSPEC).u8(0).u8(0).u8(0).u32(index);
  w.end();
}

/** Reads the payload of an RTM_NEWADDR; undefined when it is none of IPv4 or IPv6. */
export function readAddress(payload: Uint8Array): AddressMessage | undefined {
  const family = readU8(payload, 0);
  const length = readU8(payload, 1);
  const index = readU32(payload, 4);
  const attrs = readAttrs(payload, IFADDRMSG_BYTES);
  // On a point-to-point address IFA_ADDRESS is the peer's; the own one is IFA_LOCAL, which IPv6 leaves out otherwise.
  const addr = readAddr(family, attrs.get(IFA.LOCAL) ?? attrs.get(IFA.ADDRESS));
  if (addr === undefined || length === undefined || index === undefined) return undefined;
  if (length > (family === AF.INET ? 32 : 128)) return undefined;
  return { index, address: { addr, length }, flags: readU32(attrs.get(IFA.FLAGS)) ?? readU8(payload, 2) ?? 0 };
}
