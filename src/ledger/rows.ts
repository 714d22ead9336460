/** Rows of the ledger to values and back. */

import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { Endpoint, EndpointState } from "../model/endpoint.ts";
import { type Addr, addrFromBytes } from "../net/addr.ts";
import { parseMac } from "../net/mac.ts";
import { damaged } from "./error.ts";
import { extrasOfText, extrasText } from "./extras.ts";
import type { NewEndpoint } from "./ledger.ts";

/** Columns in the order that {@link endpointOfRow} reads them. */
export const ENDPOINT_COLUMNS =
  "id, network, container_id, ifname, netns_path, netns_id, host_ifname, host_ifindex, mac, mtu_bytes, " +
  "pod_namespace, pod_name, pod_uid, state, created_at_ms, addrs, extras, entry_ifindex";

/** A row with `returnArrays`. */
export type Row = readonly SQLOutputValue[];

function text(path: string, value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw damaged(path, `a text column holds ${String(value)}`);
  return value;
}

function integer(path: string, value: SQLOutputValue | undefined): number {
  if (typeof value !== "number") throw damaged(path, `a number column holds ${String(value)}`);
  return value;
}

function optionalInteger(path: string, value: SQLOutputValue | undefined): number | undefined {
  return value === null ? undefined : integer(path, value);
}

function optionalText(path: string, value: SQLOutputValue | undefined): string | undefined {
  return value === null ? undefined : text(path, value);
}

function state(path: string, value: SQLOutputValue | undefined): EndpointState {
  if (value === "pending" || value === "ready" || value === "deleting") return value;
  throw damaged(path, `an endpoint's state is ${String(value)}`);
}

/** The address of a blob column. */
export function addrOfColumn(path: string, value: SQLOutputValue | undefined): Addr {
  if (!(value instanceof Uint8Array) || value.length !== 16) throw damaged(path, "an address has not 16 bytes");
  return addrFromBytes(value);
}

/** The addresses of a blob column of one or two. */
export function addrsOfColumn(path: string, value: SQLOutputValue | undefined): readonly Addr[] {
  if (!(value instanceof Uint8Array) || (value.length !== 16 && value.length !== 32))
    throw damaged(path, "an endpoint's addresses have not 16 or 32 bytes");
  return value.length === 16
    ? [addrFromBytes(value)]
    : [addrFromBytes(value.subarray(0, 16)), addrFromBytes(value.subarray(16))];
}

/** The bytes for a column that {@link addrsOfColumn} reads. */
function addrsColumn(addrs: readonly Addr[]): Uint8Array {
  const bytes = new Uint8Array(16 * addrs.length);
  for (const [i, a] of addrs.entries()) bytes.set(a.bytes, 16 * i);
  return bytes;
}

/** The value of a row of {@link ENDPOINT_COLUMNS}. */
export function endpointOfRow(path: string, row: Row): Endpoint {
  const mac = parseMac(text(path, row[8]));
  if (!mac.ok) throw damaged(path, mac.error);
  return Object.freeze({
    id: integer(path, row[0]),
    network: text(path, row[1]),
    containerId: text(path, row[2]),
    ifname: text(path, row[3]),
    netnsPath: text(path, row[4]),
    netnsId: text(path, row[5]),
    hostIfname: text(path, row[6]),
    hostIfindex: optionalInteger(path, row[7]),
    entryIfindex: optionalInteger(path, row[17]) ?? optionalInteger(path, row[7]),
    addrs: Object.freeze(addrsOfColumn(path, row[15])),
    mac: mac.value,
    mtuBytes: integer(path, row[9]),
    ...extrasOfText(path, optionalText(path, row[16])),
    podNamespace: optionalText(path, row[10]),
    podName: optionalText(path, row[11]),
    podUid: optionalText(path, row[12]),
    state: state(path, row[13]),
    createdAtMs: integer(path, row[14]),
  });
}

/** Values for `INSERT`, in the order of its columns there. */
export function insertValues(id: number, bootId: string, e: NewEndpoint, addrs: readonly Addr[]): SQLInputValue[] {
  return [
    id,
    bootId,
    e.network,
    e.containerId,
    e.ifname,
    e.netnsPath,
    e.netnsId,
    e.hostIfname,
    addrsColumn(addrs),
    e.mac,
    e.mtuBytes,
    extrasText(e),
    e.podNamespace ?? null,
    e.podName ?? null,
    e.podUid ?? null,
    e.createdAtMs,
  ];
}

/** Columns of {@link insertValues}. */
export const INSERT_COLUMNS =
  "id, boot_id, network, container_id, ifname, netns_path, netns_id, host_ifname, addrs, mac, mtu_bytes, extras, " +
  "pod_namespace, pod_name, pod_uid, created_at_ms";
