import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterTable } from "../../cluster/source.ts";
import { conditionsFor } from "./object-conditions.ts";

function saysOf(table: ClusterTable): string | undefined {
  const report = { table, key: "a/p", issues: [{ path: "spec.x", message: "Unknown field" }], generation: 1 };
  const conditions = conditionsFor([], "default")(report as Parameters<ReturnType<typeof conditionsFor>>[0]);
  return conditions.find((c) => c.type === "Enforced")?.message;
}

test("of a refused object only those are said to close something that do (decision 53)", () => {
  for (const table of ["calicoNetworkPolicies", "ciliumNetworkPolicies"] as const)
    assert.match(saysOf(table) ?? "", /other nodes close what it may select$/, table);
  for (const table of ["stagedNetworkPolicies", "stagedKubernetesNetworkPolicies", "globalNetworkPolicies"] as const)
    assert.match(saysOf(table) ?? "", /other nodes enforce nothing of it$/, table);
  assert.equal(saysOf("globalNetworkSets"), undefined);
});
