/** RTM_NEWNEIGH: permanent neighbours. Payload is an ndmsg (family u8, pad 3, index i32, state u16, flags u8, type u8), attributes. */

import { type Addr, wireBytes } from "../addr.ts";
import { familyNumber, readAddr } from "./address.ts";
import { AF, NDA, NUD_PERMANENT, RTM } from "./constants.ts";
import { readAttrs, readI32, readU8, readU16 } from "./reader.ts";
import type { NetlinkWriter } from "./writer.ts";

const NDMSG_BYTES = 12;

/** A neighbour as a message of the kernel's shows it. */
export interface NeighbourMessage {
  readonly index: number;
  readonly addr: Addr;
  readonly mac: Uint8Array | undefined;
  readonly isPermanent: boolean;
}

/** Makes a permanent neighbour. */
export function writeNewNeighbour(
  w: NetlinkWriter,
  options: {
    readonly index: number;
    readonly addr: Addr;
    readonly mac: Uint8Array;
    readonly flags: number;
    readonly sequence: number;
  },
): void {
  w.begin(RTM.NEWNEIGH, options.flags, options.sequence);
  w.u8(familyNumber(options.addr)).u8(0).u16(0).u32(options.index).u16(NUD_PERMANENT).u8(0).u8(0);
  w.attr(NDA.DST, wireBytes(options.addr)).attr(NDA.LLADDR, options.mac);
  w.end();
}

/** Asks for all neighbours (flag DUMP). */
export function writeGetNeighbours(w: NetlinkWriter, flags: number, sequence: number): void {
  w.begin(RTM.GETNEIGH, flags, sequence);
  w.u8(AF.UNSPEC).u8(0).u16(0).u32(0).u16(0).u8(0).u8(0);
  w.end();
}

/** Reads the payload of an RTM_NEWNEIGH; undefined when it is none of IPv4 or IPv6. */
export function readNeighbour(payload: Uint8Array): NeighbourMessage | undefined {
  const index = readI32(payload, 4);
  const state = readU16(payload, 8);
  const attrs = readAttrs(payload, NDMSG_BYTES);
  const addr = readAddr(readU8(payload, 0), attrs.get(NDA.DST));
  if (index === undefined || state === undefined || addr === undefined) return undefined;
  const mac = attrs.get(NDA.LLADDR);
  return { index, addr, mac: mac?.length === 6 ? mac : undefined, isPermanent: (state & NUD_PERMANENT) !== 0 };
}
