/** What should stand on every object that has a status: policies, and the cluster's configuration. */

import type { ClusterSource } from "../../cluster/source.ts";
import { CONFIG_TABLES, configConditions, restsOn } from "../config/conditions.ts";
import { type PoolSettings, poolConditions, poolsRestOn } from "../ip-pool-conditions.ts";
import type { WantedConditions } from "../policy/object-conditions.ts";

/** What it follows from. */
export interface WantedStatusParts {
  readonly source: Pick<ClusterSource, "isSynced" | "snapshot">;
  /** Of policies; undefined: not known yet, or not to be written. The same function for as long as it says the same. */
  readonly policies: () => WantedConditions | undefined;
  readonly settings: () => PoolSettings;
}

/** @returns undefined until the cluster is known; else the same function for as long as it says the same */
export function wantedStatus({ source, policies, settings }: WantedStatusParts): () => WantedConditions | undefined {
  let last: { readonly from: readonly unknown[]; readonly say: WantedConditions } | undefined;
  return () => {
    if (!source.isSynced()) return undefined;
    const { tables } = source.snapshot();
    const ofPolicies = policies();
    const from = [ofPolicies, ...restsOn(tables), ...poolsRestOn(tables, settings())];
    if (last?.from.length !== from.length || !from.every((x, i) => x === last?.from[i])) {
      const say: WantedConditions = (report) => {
        if (CONFIG_TABLES.includes(report.table)) return configConditions(tables, report);
        if (report.table === "ipPools" || report.table === "calicoIpPools")
          return poolConditions(tables, settings(), report);
        return ofPolicies?.(report) ?? report.conditions;
      };
      last = { from, say };
    }
    return last.say;
  };
}
