import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterner } from "../model/intern.ts";
import { parseNetworkSet } from "../model/policy/calico-objects.ts";
import { parseCalicoNetworkPolicy } from "../model/policy/calico-policy.ts";
import { parseNetworkPolicy } from "../model/policy/network-policy.ts";
import { createRuleReader, type PolicyObjects } from "./from-objects.ts";
import { refKey, refText } from "./order.ts";
import { emptyObjects, tableOf } from "./testing/policy-objects.ts";

const interner = createInterner();

function objects(some: Partial<PolicyObjects>): PolicyObjects {
  return { ...emptyObjects(), ...some };
}

function networkPolicy(name: string) {
  const parsed = parseNetworkPolicy({ metadata: { namespace: "x", name }, spec: { podSelector: {} } }, interner);
  assert.ok(parsed.ok);
  return parsed.value;
}

test("what has not changed is the same object as before", () => {
  const reader = createRuleReader();
  const [a, b] = [networkPolicy("a"), networkPolicy("b")];
  const first = reader.read(objects({ networkPolicies: tableOf(a) }));
  const second = reader.read(objects({ networkPolicies: tableOf(a, b) }));
  assert.deepEqual(
    Array.from(second.policies, (p) => p.ref.name),
    ["a", "b"],
  );
  assert.equal([...second.policies][0], [...first.policies][0]);
  assert.equal(second.views, first.views);
});

test("networks of Calico's sets have their labels where there is a policy of Calico's, and only there", () => {
  const set = parseNetworkSet(
    { metadata: { namespace: "x", name: "s", labels: { a: "b" } }, spec: { nets: ["192.0.2.0/24"] } },
    interner,
  );
  const policy = parseCalicoNetworkPolicy({ metadata: { namespace: "x", name: "p" }, spec: { order: 1 } }, interner);
  assert.ok(set.ok && policy.ok);
  const reader = createRuleReader();
  const networkSets = tableOf(set.value);
  assert.deepEqual(reader.read(objects({ networkSets })).overlays, []);
  const rules = reader.read(objects({ networkSets, calicoNetworkPolicies: tableOf(policy.value) }));
  assert.deepEqual(
    rules.overlays.map((o) => [o.prefix.text, o.labels.get("calico")?.[0]?.get("a")]),
    [["192.0.2.0/24", "b"]],
  );
  assert.ok(rules.tiers.some((t) => t.name === "default" || t.end === "pass"));
});

test("policies of one name of two groups are two to everybody", () => {
  const calico = parseCalicoNetworkPolicy({ metadata: { namespace: "x", name: "a" }, spec: {} }, interner);
  assert.ok(calico.ok);
  const { policies } = createRuleReader().read(
    objects({ networkPolicies: tableOf(networkPolicy("a")), calicoNetworkPolicies: tableOf(calico.value) }),
  );
  assert.deepEqual(
    Array.from(policies, (p) => [refKey(p.ref), refText(p.ref)]),
    [
      ["networking.k8s.io/NetworkPolicy/x/a", "NetworkPolicy x/a"],
      ["projectcalico.org/NetworkPolicy/x/a", "NetworkPolicy.projectcalico.org x/a"],
    ],
  );
});
