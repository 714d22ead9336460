import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterner } from "../model/intern.ts";
import { parseBaselineAdminNetworkPolicy } from "../model/policy/admin-network-policy.ts";
import { parseNetworkPolicy } from "../model/policy/network-policy.ts";
import { createRuleReader, type PolicyMode } from "./from-objects.ts";
import { ask } from "./testing/dialect-world.ts";
import { emptyObjects, tableOf } from "./testing/policy-objects.ts";

const interner = createInterner();

function rulesOf(mode: PolicyMode) {
  const web = { podSelector: { matchLabels: { app: "web" } } };
  const policy = parseNetworkPolicy(
    { metadata: { namespace: "shop", name: "web" }, spec: { ...web, ingress: [{ ports: [{ port: 80 }] }] } },
    interner,
  );
  const baseline = parseBaselineAdminNetworkPolicy(
    {
      metadata: { name: "default" },
      spec: {
        subject: { namespaces: {} },
        ingress: [{ action: "Allow", from: [{ namespaces: { matchLabels: { team: "b" } } }] }],
      },
    },
    interner,
  );
  assert.ok(policy.ok && baseline.ok);
  return createRuleReader(mode).read({
    ...emptyObjects(),
    networkPolicies: tableOf(policy.value),
    baselineAdminNetworkPolicies: tableOf(baseline.value),
  });
}

const asked: readonly (readonly [of: string, direction: "ingress" | "egress", peer: string, traffic: string])[] = [
  ["web", "ingress", "bank", "tcp/80"],
  ["web", "ingress", "bank", "tcp/81"],
  ["web", "egress", "bank", "tcp/80"],
  ["db", "ingress", "bank", "tcp/80"],
  ["db", "ingress", "web", "tcp/80"],
  ["db", "ingress", "n1", "tcp/80"],
  ["db", "ingress", "n2", "tcp/80"],
  ["db", "egress", "outside", "udp/53"],
];

function answers(mode: PolicyMode): string[] {
  const { policies, tiers, views } = rulesOf(mode);
  return asked.map(([of, direction, peer, traffic]) => {
    const { isAllowed, by } = ask(policies, { of, direction, peer, traffic }, views, tiers);
    return `${of} ${direction} ${peer} ${traffic}: ${isAllowed ? "yes" : "no"}, ${by || "nothing"}`;
  });
}

test("default: pods that nothing isolates are open", () => {
  assert.deepEqual(answers("default"), [
    "web ingress bank tcp/80: yes, web spec.ingress[0]",
    "web ingress bank tcp/81: no, end of default",
    "web egress bank tcp/80: yes, nothing",
    "db ingress bank tcp/80: yes, default spec.ingress[0]",
    "db ingress web tcp/80: yes, nothing",
    "db ingress n1 tcp/80: yes, nothing",
    "db ingress n2 tcp/80: yes, nothing",
    "db egress outside udp/53: yes, nothing",
  ]);
});

test("always: what nothing decides is denied, the baseline is still asked, and the own node reaches its pods", () => {
  assert.deepEqual(answers("always"), [
    "web ingress bank tcp/80: yes, web spec.ingress[0]",
    "web ingress bank tcp/81: no, end of default",
    "web egress bank tcp/80: no, end of last",
    "db ingress bank tcp/80: yes, default spec.ingress[0]",
    "db ingress web tcp/80: no, end of last",
    "db ingress n1 tcp/80: yes, policy.mode always",
    "db ingress n2 tcp/80: no, end of last",
    "db egress outside udp/53: no, end of last",
  ]);
});

test("never: nothing is decided", () => {
  assert.deepEqual(
    answers("never").filter((a) => !a.endsWith("yes, nothing")),
    [],
  );
});
