import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { createInterner } from "../model/intern.ts";
import { parseCalicoNetworkPolicy, parseGlobalNetworkPolicy } from "../model/policy/calico-policy.ts";
import { translateCalicoPolicy } from "./dialects/calico.ts";
import { orderPolicies, refText } from "./order.ts";

const interner = createInterner();
const context = { networkSets: [], namespaceLabels: () => new Map(), backends: () => [] };
const of = (name: string, namespace?: string, order?: number) => {
  const object = { metadata: { name, ...(namespace && { namespace }) }, spec: { order } };
  const parse = namespace === undefined ? parseGlobalNetworkPolicy : parseCalicoNetworkPolicy;
  return translateCalicoPolicy(unwrap(parse(object, interner)), context);
};

test("Calico's policies of equal order stand by name, whatever their namespaces: one of the cluster does not come first", () => {
  const policies = [of("m"), of("z", "a"), of("a", "z"), of("b", "z", 7), of("c", undefined, 7), of("m", "a")].flat();
  const [tier] = orderPolicies(policies).filter((t) => t.policies.length > 0);
  assert.deepEqual(
    [...new Set(tier?.policies.map((p) => refText(p.ref)))],
    [
      "NetworkPolicy.projectcalico.org z/b",
      "GlobalNetworkPolicy c",
      "NetworkPolicy.projectcalico.org z/a",
      "GlobalNetworkPolicy m",
      "NetworkPolicy.projectcalico.org a/m",
      "NetworkPolicy.projectcalico.org a/z",
    ],
  );
});
