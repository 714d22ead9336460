/** A policy judged before there is a manifest or a cluster: three dialects over one small world of built objects. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { calicoNetworkPolicy, ciliumNetworkPolicy, namespace, networkPolicy, pod, policyWorld } from "twill/policy";

const world = policyWorld([
  namespace("bank", { team: "bank" }),
  namespace("lab"),
  pod("bank/ledger", { labels: { app: "ledger" }, ports: { grpc: 9090 } }),
  pod("bank/teller", { labels: { app: "teller" } }),
  pod("lab/probe", { labels: { app: "probe" } }),
]);
const SELECTED = { matchLabels: { app: "ledger" } };
const TELLER = { matchLabels: { app: "teller" } };

const sameRule = [
  networkPolicy("bank/ledger", {
    podSelector: SELECTED,
    ingress: [{ from: [{ podSelector: TELLER }], ports: [{ port: "grpc" }] }],
  }),
  calicoNetworkPolicy("bank/ledger", {
    selector: "app == 'ledger'",
    ingress: [
      { action: "Allow", protocol: "TCP", source: { selector: "app == 'teller'" }, destination: { ports: ["grpc"] } },
    ],
  }),
  ciliumNetworkPolicy("bank/ledger", {
    endpointSelector: SELECTED,
    ingress: [{ fromEndpoints: [TELLER], toPorts: [{ ports: [{ port: "grpc", protocol: "TCP" }] }] }],
  }),
];

test("without a policy everybody reaches the ledger", () => {
  world.assertAllowed(["bank/teller", "lab/probe"], "bank/ledger", "9090/TCP,53/UDP,ICMP");
});

for (const policy of sameRule)
  test(`${policy.apiVersion} ${policy.kind}: the teller only, on one port only`, () => {
    const closed = world.with(policy);
    closed.assertAllowed("bank/teller", "bank/ledger", "grpc/TCP");
    closed.assertDenied("bank/teller", "bank/ledger", "9091/TCP,9090/UDP,ICMP");
    closed.assertDenied("lab/probe", "bank/ledger", "9090/TCP");
    assert.deepEqual(closed.matrix("9090/TCP", { to: ["bank/ledger"] }), {
      "9090/TCP": {
        "bank/ledger": { "bank/ledger": "ok" },
        "bank/teller": { "bank/ledger": "ok" },
        "lab/probe": { "bank/ledger": "timeout" },
      },
    });
  });
