/** What entries of maps are shown as: fields, protocols, sockets. */

import { hostPortText } from "../net/host-port.ts";
import { addrText } from "../plan/describe.ts";
import type { MapRow } from "../plan/rows.ts";

/** Fields by name: numbers and text only. */
export type DecodedRow = Readonly<Record<string, string | number>>;

export type Decoder = (row: MapRow) => DecodedRow;

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, "ICMP"],
  [6, "TCP"],
  [17, "UDP"],
  [58, "ICMPv6"],
  [132, "SCTP"],
]);

export function protocolText(n: number): string {
  return PROTOCOL_NAMES.get(n) ?? `${n}`;
}

/** Address and port, an IPv6 address in brackets. */
export function socketText(bytes: Uint8Array, port: number): string {
  const text = addrText(bytes);
  return hostPortText(text, port);
}
