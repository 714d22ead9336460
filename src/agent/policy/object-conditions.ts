/** From what the agent knows of policies to the conditions that should stand on their objects. */

import type { ObjectCondition, ObjectReport } from "../../cluster/reports.ts";
import type { ClusterTable } from "../../cluster/source.ts";
import { TABLE_KINDS } from "../../cluster/tables.ts";
import type { PolicyMode } from "../../policy/from-objects.ts";
import { acceptedOf, enforcedOf, refusedOf, type Said } from "../../policy/object-status.ts";
import { refKey } from "../../policy/order.ts";
import type { Dialect, Policy } from "../../policy/rule.ts";

/** Tables of policies: objects of the others are accepted or not, and enforced by who speaks of them. */
const POLICIES: Partial<Readonly<Record<ClusterTable, Dialect>>> = {
  clusterNetworkPolicies: "cluster-network-policy",
  adminNetworkPolicies: "cluster-network-policy",
  baselineAdminNetworkPolicies: "cluster-network-policy",
  calicoNetworkPolicies: "calico",
  globalNetworkPolicies: "calico",
  stagedNetworkPolicies: "calico",
  stagedGlobalNetworkPolicies: "calico",
  stagedKubernetesNetworkPolicies: "calico",
  ciliumNetworkPolicies: "cilium",
  ciliumClusterwideNetworkPolicies: "cilium",
};

/** Of which something is closed while they are refused: decision 53. */
const CLOSED: ReadonlySet<ClusterTable> = new Set(["calicoNetworkPolicies", "ciliumNetworkPolicies"]);

const REPORTED: ReadonlySet<Dialect> = new Set(Object.values(POLICIES));

const KINDS = new Map(TABLE_KINDS.map((k) => [k.table, k]));

function refOf(table: ClusterTable, dialect: Dialect, key: string): string {
  const kind = KINDS.get(table);
  const slash = kind?.isNamespaced === true ? key.indexOf("/") : -1;
  return refKey({
    dialect,
    kind: kind?.kind ?? "",
    namespace: key.slice(0, Math.max(0, slash)),
    name: key.slice(slash + 1),
  });
}

/** What should stand on an object. */
export type WantedConditions = (report: ObjectReport) => readonly ObjectCondition[];

/** @param policies all that were read, of all dialects */
export function conditionsFor(policies: Iterable<Policy>, mode: PolicyMode): WantedConditions {
  // Most policies are of a kind that has no conditions.
  const byRef = Map.groupBy(
    [...policies].filter((p) => REPORTED.has(p.ref.dialect)),
    (p) => refKey(p.ref),
  );
  return ({ table, key, issues, generation }) => {
    const said: Said[] = [acceptedOf(issues)];
    const dialect = POLICIES[table];
    if (dialect !== undefined)
      said.push(
        issues.length > 0
          ? refusedOf(CLOSED.has(table))
          : enforcedOf(byRef.get(refOf(table, dialect, key)) ?? [], mode),
      );
    return said.map((s) => ({ ...s, observedGeneration: generation }));
  };
}
