/** Entries of the BPF maps in words: for goldens, for the log and for `twill bpf dump`. */

import { type Addr, addrFromBytes } from "../net/addr.ts";
import {
  CONFIG_FLAG_NAMES,
  decodeConfig,
  decodeEndpoint,
  decodeEndpointKey,
  decodeIpcacheEntry,
  decodeIpcacheKey,
  decodeNode,
  decodeNodeKey,
  ENDPOINT_FLAG_NAMES,
  IPCACHE_FLAG_NAMES,
} from "../net/gen/bpf-maps.ts";
import { macFromBytes } from "../net/mac.ts";
import type { MapRow } from "./rows.ts";

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((b) => b === 0);
}

/** Names of the bits that are set, with commas; `-` for none. */
export function flagText(flags: number, names: ReadonlyMap<number, string>): string {
  const words: string[] = [];
  for (let bit = 1; bit <= flags && bit > 0; bit *= 2) if ((flags & bit) !== 0) words.push(names.get(bit) ?? `${bit}`);
  return words.length === 0 ? "-" : words.join(",");
}

/** An address of a map, `-` where it says "none". */
export function addrText(bytes: Uint8Array): string {
  return isZero(bytes) ? "-" : addrFromBytes(bytes).text;
}

/** The prefix of an LPM key in its own family's words. */
export function lpmText(prefixBits: number, bytes: Uint8Array): string {
  const a: Addr = addrFromBytes(bytes);
  return `${a.text}/${a.family === 4 && prefixBits >= 96 ? prefixBits - 96 : prefixBits}`;
}

function ipcacheText({ key, value }: MapRow): string {
  const k = decodeIpcacheKey(key);
  const v = decodeIpcacheEntry(value);
  const via = isZero(v.tunnel) ? "" : ` tunnel ${addrText(v.tunnel)} node ${v.nodeId}`;
  return `${lpmText(k.prefixBits, k.addr)} flags ${flagText(v.flags, IPCACHE_FLAG_NAMES)}${via}`;
}

function endpointText({ key, value }: MapRow): string {
  const v = decodeEndpoint(value);
  return `${addrText(decodeEndpointKey(key).addr)} ifindex ${v.ifindex} mac ${macFromBytes(v.mac)} classes ${v.ingressClass},${v.egressClass} flags ${flagText(v.flags, ENDPOINT_FLAG_NAMES)}`;
}

function configText({ value }: MapRow): string {
  const c = decodeConfig(value);
  return [
    `node4 ${addrText(c.node4)} node6 ${addrText(c.node6)} router4 ${addrText(c.router4)} router6 ${addrText(c.router6)}`,
    `twill0 ${c.twill0Ifindex} twill1 ${c.twill1Ifindex} tunnel ${c.tunnelIfindex}`,
    `vni ${c.tunnelVni} port ${c.tunnelPort} mtu ${c.tunnelMtu} nat ${c.natPortMin}-${c.natPortMax}`,
    `flags ${flagText(c.flags, CONFIG_FLAG_NAMES)} revision ${c.revision}`,
  ].join(" ");
}

/** An entry in words; undefined for maps that the plan does not fill. */
export function describeMapRow(map: string, row: MapRow): string | undefined {
  switch (map) {
    case "ipcache":
      return ipcacheText(row);
    case "endpoints":
      return endpointText(row);
    case "nodes":
      return `${addrText(decodeNodeKey(row.key).tunnel)} node ${decodeNode(row.value).nodeId}`;
    case "config":
      return configText(row);
    default:
      return undefined;
  }
}
