/** What load balancers follow from, out of the cluster's tables: the same object as long as nothing of it has changed. */

import type { ClusterSnapshot, ClusterSource, ClusterTable } from "../../cluster/source.ts";
import type { LoadBalancerPool } from "../../model/load-balancer-pool.ts";
import type { LoadBalancerObjects } from "./load-balancer.ts";

const POOLS = ["loadBalancerPools", "ciliumLoadBalancerPools"] as const;
const TABLES = ["services", ...POOLS, "calicoIpPools"] as const satisfies readonly ClusterTable[];

function poolsOf(tables: ClusterSnapshot["tables"]): readonly LoadBalancerPool[] {
  return [...POOLS.flatMap((t) => [...tables[t]]), ...[...tables.calicoIpPools].map((p) => p.loadBalancer)];
}

/** A reader; it gives undefined until the cluster has answered, and while services are not Twill's. */
export function createLoadBalancerObjects(
  source: Pick<ClusterSource, "want" | "stateOf" | "snapshot" | "isSynced">,
  isEnabled: () => boolean,
): () => LoadBalancerObjects | undefined {
  let seen: readonly unknown[] = [];
  let last: LoadBalancerObjects | undefined;
  return () => {
    if (!isEnabled() || !source.isSynced()) return undefined;
    source.want(TABLES);
    if (TABLES.some((t) => !["known", "absent"].includes(source.stateOf(t)))) return undefined;
    const { tables } = source.snapshot();
    const now = TABLES.map((t) => tables[t]);
    if (last === undefined || now.some((t, i) => t !== seen[i])) {
      seen = now;
      last = { services: [...tables.services], pools: poolsOf(tables) };
    }
    return last;
  };
}
