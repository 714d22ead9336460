/** What the pinned maps say: readable with and without an agent. */

import type { Kernel } from "../../kernel/kernel.ts";
import { METRIC_NAMES, SOCK_METRIC_NAMES } from "../../net/gen/bpf-maps.ts";
import { metricSum, sockMetricSum } from "../../net/per-cpu.ts";
import type { MapStatus, PacketCount, SocketCount } from "./status.ts";

/** Kinds of maps that hold no countable entries. */
function isCountable(type: string): boolean {
  return !/array|ringbuf/i.test(type);
}

const LARGE: ReadonlySet<string> = new Set([
  "ct_tcp",
  "ct_other",
  "nat",
  "frags",
  "services",
  "service_slots",
  "backends",
  "service_flows",
]);

/** Maps that are walked entry by entry to be counted only when nobody has counted them: they may be large. */
function isLarge(name: string): boolean {
  return LARGE.has(name);
}

/**
 * Fill of every map.
 * @param counts of the last sweep and of who fills a map; without them the large maps are counted here
 */
export function readMaps(
  kernel: Kernel,
  counts: readonly { readonly map: string; readonly entries: number }[] | undefined,
): MapStatus[] {
  return kernel.maps().map(({ name, type, maxEntries }) => {
    if (!isCountable(type)) return { name, type, entries: undefined, maxEntries };
    const swept = counts?.find((c) => c.map === name)?.entries;
    const entries = counts !== undefined && isLarge(name) ? swept : kernel.mapCount(name);
    return { name, type, entries, maxEntries };
  });
}

/** Packets and bytes by what happened to them, summed over the CPUs; those that never happened are left out. */
export function readPackets(kernel: Kernel): PacketCount[] {
  const counts: PacketCount[] = [];
  for (const row of kernel.mapRows("metrics")) {
    const index = new DataView(row.key.buffer, row.key.byteOffset).getUint32(0, true);
    const name = METRIC_NAMES.get(index);
    if (name === undefined) continue;
    const sum = metricSum(row.value);
    if (sum.packets > 0) counts.push({ name, ...sum });
  }
  return counts;
}

/** Sockets by what became of what they asked, summed over the CPUs; what never happened is left out. */
export function readSockets(kernel: Kernel): SocketCount[] {
  return kernel.mapRows("sock_metrics").flatMap(({ key, value }): SocketCount[] => {
    const name = SOCK_METRIC_NAMES.get(new DataView(key.buffer, key.byteOffset).getUint32(0, true));
    const times = sockMetricSum(value);
    return name === undefined || times === 0 ? [] : [{ name, times }];
  });
}
