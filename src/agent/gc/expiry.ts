/** Which entries of the flow maps are over. */

import type { Kernel } from "../../kernel/kernel.ts";
import {
  type BpfMapName,
  decodeCtEntry,
  decodeCtKey,
  decodeFragEntry,
  decodeNatEntry,
  decodeNatKey,
  decodeServiceFlow,
  decodeServiceFlowKey,
  encodeCtKey,
  NatDirection,
} from "../../net/gen/bpf-maps.ts";
import type { MapRow } from "../../plan/rows.ts";
import { conntrackKeys } from "./service-flow.ts";
import { ageTicks, ticks, timeoutSeconds } from "./timeouts.ts";

/** Maps whose entries expire, in the order in which they are walked: flows before what lives as long as its flow. */
export const SWEPT_MAPS = [
  "ct_tcp",
  "ct_other",
  "nat",
  "service_flows",
  "frags",
] as const satisfies readonly BpfMapName[];
/** One of {@link SWEPT_MAPS}. */
export type SweptMap = (typeof SWEPT_MAPS)[number];

/** A new translated flow has its NAT or service entry before its conntrack entry is looked for: it gets this long, in seconds. */
const GRACE_SECONDS = 10;
/** Linux gives up on incomplete datagrams after 30 s (`ipfrag_time`), IPv6 after 60 s (RFC 8200 section 4.5). */
const FRAGMENT_SECONDS = 60;

const TCP = 6;
/** What conntrack has in the place of a port at who answers an echo: type and code of the request, by protocol. */
const ECHO_REQUEST: ReadonlyMap<number, number> = new Map([
  [1, 0x0800],
  [58, 0x8000],
]);

/** How tracked flows are looked up. */
export type FlowLookup = Pick<Kernel, "mapGet">;

function hasFlow(kernel: FlowLookup, row: MapRow): boolean {
  const key = decodeNatKey(row.key);
  const entry = decodeNatEntry(row.value);
  const isOut = key.direction === NatDirection.out;
  const inside = isOut ? { addr: key.src, port: key.srcPort } : { addr: entry.addr, port: entry.port };
  const outside = isOut ? { addr: key.dst, port: key.dstPort } : { addr: key.src, port: key.srcPort };
  outside.port = ECHO_REQUEST.get(key.protocol) ?? outside.port;
  const map = key.protocol === TCP ? "ct_tcp" : "ct_other";
  const { protocol } = key;
  const ordered = (low: typeof inside, high: typeof inside) =>
    encodeCtKey({ low: low.addr, lowPort: low.port, high: high.addr, highPort: high.port, protocol });
  return [ordered(inside, outside), ordered(outside, inside)].some((k) => kernel.mapGet(map, k) !== undefined);
}

/**
 * Whether an entry is over.
 * @param haste divides the time that flows of which only one side has spoken are given; 1: as long as ever
 */
export function isExpired(kernel: FlowLookup, map: SweptMap, row: MapRow, nowTick: number, haste: number): boolean {
  switch (map) {
    case "ct_tcp":
    case "ct_other": {
      const entry = decodeCtEntry(row.value);
      const isOneSided = entry.originSeen === 0 || entry.replySeen === 0;
      const limit = ticks(timeoutSeconds(decodeCtKey(row.key).protocol, entry) / (isOneSided ? haste : 1));
      return ageTicks(nowTick, entry.lastSeen) > limit;
    }
    case "nat":
      return ageTicks(nowTick, decodeNatEntry(row.value).created) > ticks(GRACE_SECONDS) && !hasFlow(kernel, row);
    case "service_flows": {
      if (ageTicks(nowTick, decodeServiceFlow(row.value).created) <= ticks(GRACE_SECONDS)) return false;
      const ct = decodeServiceFlowKey(row.key).protocol === TCP ? "ct_tcp" : "ct_other";
      return conntrackKeys(row).every((key) => kernel.mapGet(ct, key) === undefined);
    }
    case "frags":
      return ageTicks(nowTick, decodeFragEntry(row.value).created) > ticks(FRAGMENT_SECONDS);
  }
}
