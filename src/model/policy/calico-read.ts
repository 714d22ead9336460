/** What all of Calico's objects have in common: API groups, selectors, networks, ports, protocols, orders. */

import { parseAddr } from "../../net/addr.ts";
import { hostPrefix, type Prefix } from "../../net/prefix.ts";
import type { Reader } from "../read.ts";
import { type CalicoSelector, parseCalicoSelector } from "./calico-selector.ts";
import { quoted, readCidr } from "./strict.ts";

/** The group of users and the group of the resource definitions below it: the same specifications. */
export const CALICO_API_VERSIONS = ["projectcalico.org/v3", "crd.projectcalico.org/v1"] as const;

/** A port range, both ends inclusive, or a name of the endpoint that has the port. */
export type CalicoPort = { readonly first: number; readonly last: number } | { readonly name: string };

/** Protocols by their Calico names. */
export const CALICO_PROTOCOLS = { TCP: 6, UDP: 17, ICMP: 1, ICMPv6: 58, SCTP: 132, UDPLite: 136 } as const;

/** A selector; undefined when absent, empty or reported. */
export function readSelector(reader: Reader, key: string): CalicoSelector | undefined {
  const text = reader.string(key);
  if (text === undefined || text.trim() === "") return undefined;
  const parsed = parseCalicoSelector(text);
  if (parsed.ok) return parsed.value;
  reader.issue(key, `${quoted(text)} is not a selector: ${parsed.error}`);
  return undefined;
}

/** Whether the member is a list with something in it; complains of nothing. */
export function isFilled(reader: Reader, key: string): boolean {
  const value = reader.value(key);
  return Array.isArray(value) && value.length > 0;
}

/** Strings of a list with at most `max` of them. */
export function boundedStrings(reader: Reader, key: string, max: number): readonly string[] {
  const list = reader.strings(key);
  if (list.length > max) reader.issue(key, `${list.length} items: at most ${max} are allowed`);
  return list.slice(0, max);
}

/** CIDRs; a bare address is the network of it alone. */
export function readNets(reader: Reader, key: string, max: number): readonly Prefix[] {
  const out: Prefix[] = [];
  for (const [i, text] of boundedStrings(reader, key, max).entries()) {
    const single = parseAddr(text);
    const net = single.ok ? hostPrefix(single.value) : readCidr(reader, `${key}[${i}]`, text);
    if (net !== undefined) out.push(net);
  }
  return out;
}

/** A finite number, as `order` is; undefined when absent or reported. */
export function readOrder(reader: Reader): number | undefined {
  const order = reader.value("order");
  if (order === undefined || (typeof order === "number" && Number.isFinite(order))) return order;
  reader.issue("order", `${quoted(order)} is not a number`);
  return undefined;
}

/** A protocol's IANA number, given by name or number; undefined when absent or reported. */
export function readProtocol(reader: Reader, key: string): number | undefined {
  const value = reader.value(key);
  if (value === undefined) return undefined;
  for (const [name, number] of Object.entries(CALICO_PROTOCOLS))
    if (typeof value === "string" && value.toLowerCase() === name.toLowerCase()) return number;
  const number = typeof value === "string" && /^[0-9]{1,3}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= 1 && number <= 255) return number;
  reader.issue(key, `${quoted(value)} is neither one of ${Object.keys(CALICO_PROTOCOLS).join(", ")} nor 1 to 255`);
  return undefined;
}

function readOnePort(value: unknown): CalicoPort | string {
  if (typeof value === "number")
    return Number.isInteger(value) && value >= 0 && value <= 65535
      ? { first: value, last: value }
      : `${quoted(value)} is not a port from 0 to 65535`;
  if (typeof value !== "string") return `${quoted(value)} is neither a port, a range "first:last" nor a port's name`;
  const range = /^([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(value);
  if (range === null)
    return /^[a-zA-Z0-9_.-]{1,128}$/.test(value) && /[a-zA-Z]/.test(value)
      ? { name: value }
      : `${quoted(value)} is neither a port, a range "first:last" nor a port's name`;
  const first = Number(range[1]);
  const last = Number(range[2] ?? range[1]);
  if (first > 65535 || last > 65535) return `${quoted(value)} goes beyond 65535`;
  return last < first ? `${quoted(value)} is an empty range: ${last} is less than ${first}` : { first, last };
}

/** A list of ports; undefined when absent. */
export function readPorts(reader: Reader, key: string, max: number): readonly CalicoPort[] | undefined {
  const list = reader.value(key);
  if (list === undefined) return undefined;
  if (!Array.isArray(list)) {
    reader.issue(key, `${quoted(list)} is not a list`);
    return undefined;
  }
  if (list.length > max) reader.issue(key, `${list.length} items: at most ${max} are allowed`);
  const out: CalicoPort[] = [];
  for (const [i, value] of list.slice(0, max).entries()) {
    const port = readOnePort(value);
    if (typeof port === "string") reader.issue(`${key}[${i}]`, port);
    else out.push(port);
  }
  // An empty list is an absent one: it restricts nothing.
  return out.length === 0 ? undefined : out;
}
