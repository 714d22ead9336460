/** What IPPools mean to a node: which prefixes are the cluster's, and which addresses no pod gets. */

import type { ClusterSnapshot, ClusterSource } from "../cluster/source.ts";
import type { IpPool } from "../model/ip-pool.ts";
import { type Prefix, prefixCovers } from "../net/prefix.ts";
import type { AddrRange } from "../net/range.ts";
import type { NetworkSettings } from "../plan/settings.ts";
import type { NodeNet } from "../routing/node-net.ts";

/** Prefixes that count beside the configured ones: each is a route on every node. */
const MAX_CIDRS = 64;

function withPools(settings: NetworkSettings, nodes: readonly NodeNet[]): NetworkSettings {
  const more = new Map<string, Prefix>();
  for (const node of nodes)
    for (const p of node.poolCidrs ?? [])
      if (more.size < MAX_CIDRS && !settings.clusterCidrs.some((c) => prefixCovers(c, p))) more.set(p.text, p);
  if (more.size === 0) return settings;
  const outer = [...more.values()].filter((p) => ![...more.values()].some((o) => o !== p && prefixCovers(o, p)));
  const sorted = outer.toSorted((a, b) => (a.text < b.text ? -1 : 1));
  return { ...settings, clusterCidrs: [...settings.clusterCidrs, ...sorted] };
}

/**
 * The settings with the prefixes of pools that nodes have CIDRs of: from what the nodes say, so that it is the same without the
 * pools' objects. The same object for as long as it says the same.
 */
export function rememberingPools(): (settings: NetworkSettings, nodes: readonly NodeNet[]) => NetworkSettings {
  let last:
    | { readonly settings: NetworkSettings; readonly nodes: readonly NodeNet[]; readonly whole: NetworkSettings }
    | undefined;
  return (settings, nodes) => {
    if (last?.settings === settings && last.nodes === nodes) return last.whole;
    const whole = withPools(settings, nodes);
    const text = (s: NetworkSettings) => s.clusterCidrs.map((c) => c.text).join();
    const isSame = last?.settings === settings && text(last.whole) === text(whole);
    last = { settings, nodes, whole: isSame && last !== undefined ? last.whole : whole };
    return last.whole;
  };
}

/** Twill's IPPools, and those of Calico that are for pods. */
export function nodePools({
  ipPools,
  calicoIpPools,
}: Pick<ClusterSnapshot["tables"], "ipPools" | "calicoIpPools">): readonly IpPool[] {
  return [...ipPools, ...[...calicoIpPools].flatMap((p) => p.nodes ?? [])];
}

/** What IPPools reserve of a node's pod CIDR. */
export function reservedIn(source: Pick<ClusterSource, "snapshot">, podCidr: Prefix): readonly AddrRange[] {
  return [...source.snapshot().tables.ipPools].flatMap((pool) =>
    prefixCovers(pool.cidr, podCidr) ? pool.reserved : [],
  );
}
