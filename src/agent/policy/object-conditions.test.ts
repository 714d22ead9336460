import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterTable } from "../../cluster/source.ts";
import { conditionsFor } from "./object-conditions.ts";

function saysOf(table: ClusterTable): string | undefined {
  const issues = [{ path: "spec.x", message: "Unknown field" }];
  const report = { table, key: "a/p", path: "/apis/x", generation: 1, conditions: [], issues };
  const conditions = conditionsFor([], "default")(report);
  return conditions.find((c) => c.type === "Enforced")?.message;
}

test("of a refused object only those are said to close something that do (decision 53)", () => {
  for (const table of ["calicoNetworkPolicies", "ciliumNetworkPolicies"] as const)
    assert.match(saysOf(table) ?? "", /other nodes close what it may select$/, table);
  for (const table of ["stagedNetworkPolicies", "stagedKubernetesNetworkPolicies", "globalNetworkPolicies"] as const)
    assert.match(saysOf(table) ?? "", /other nodes enforce nothing of it$/, table);
  assert.equal(saysOf("globalNetworkSets"), undefined);
});
