import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createInterner, type Labels } from "../model/intern.ts";
import type { Prefix } from "../net/prefix.ts";
import { createRuleReader, type PolicyObjects } from "../policy/from-objects.ts";
import { ask } from "../policy/testing/dialect-world.ts";
import { emptyObjects, tableOf } from "../policy/testing/policy-objects.ts";
import { closedRow } from "./closed-object.ts";
import { createTableSink } from "./kube/table-sink.ts";
import type { ClusterTable } from "./source.ts";
import { createSourceState } from "./source-state.ts";
import { type AnyRow, TABLE_KINDS } from "./tables.ts";

const interner = createInterner();

function kindOf(table: ClusterTable) {
  const kind = TABLE_KINDS.find((k) => k.table === table);
  assert.ok(kind !== undefined);
  return kind;
}

const object = (spec: unknown, annotations?: object) => ({
  metadata: { name: "p", namespace: "shop", annotations },
  spec,
});

/** What a refused object leaves open of a few questions. */
function open(table: ClusterTable, value: object, others: Partial<PolicyObjects> = {}): string[] {
  const kind = kindOf(table);
  assert.ok(!kind.parse(value, interner).ok, "it is refused");
  const row = closedRow(kind, value, interner);
  const objects = { ...emptyObjects(), ...others, ...(row === undefined ? {} : { [table]: tableOf(row as never) }) };
  const { policies, views, tiers } = createRuleReader().read(objects as PolicyObjects);
  const questions = [
    ["web", "ingress", "bank"],
    ["web", "ingress", "n1"],
    ["web", "egress", "outside"],
    ["db", "ingress", "bank"],
    ["db", "egress", "outside"],
    ["bank", "ingress", "web"],
  ] as const;
  return questions
    .filter(
      ([of, direction, peer]) => ask(policies, { of, direction, peer, traffic: "tcp/80" }, views, tiers).isAllowed,
    )
    .map((q) => q.join(" "));
}

const WEB = { matchLabels: { app: "web" } };
const NOT_WEB = ["web ingress n1", "db ingress bank", "db egress outside", "bank ingress web"];

describe("a refused policy of a namespace closes what it may select", () => {
  test("Kubernetes: its selector and directions where they can be read, else the namespace", () => {
    const wrong = { ingress: [{ form: [] }] };
    assert.deepEqual(open("networkPolicies", object({ podSelector: WEB, ...wrong })), NOT_WEB);
    assert.deepEqual(open("networkPolicies", object({ podSelector: WEB, policyTypes: ["Ingress"], ...wrong })), [
      "web ingress n1",
      "web egress outside",
      "db ingress bank",
      "db egress outside",
      "bank ingress web",
    ]);
    assert.deepEqual(open("networkPolicies", object({ podSelector: { matchLabel: {} } })), [
      "web ingress n1",
      "bank ingress web",
    ]);
    assert.deepEqual(open("networkPolicies", object("nonsense")), ["web ingress n1", "bank ingress web"]);
  });

  test("Calico: with what denies, whatever others allow; without, as isolated as it would be", () => {
    const allowAll = kindOf("calicoNetworkPolicies").parse(
      {
        metadata: { name: "z", namespace: "shop" },
        spec: { ingress: [{ action: "Allow" }], egress: [{ action: "Allow" }] },
      },
      interner,
    );
    assert.ok(allowAll.ok);
    const selector = "app == 'web'";
    assert.deepEqual(
      open("calicoNetworkPolicies", object({ selector, ingress: [{ action: "Allow", sorce: {} }] })).filter((q) =>
        q.startsWith("web"),
      ),
      ["web ingress n1"],
    );
    const kind = kindOf("calicoNetworkPolicies");
    for (const [action, isOpen] of [
      ["Deny", false],
      ["deny", false],
      ["Allow", true],
    ] as const) {
      const row = closedRow(kind, object({ order: 5, selector, ingress: [{ action, sorce: {} }] }), interner) as AnyRow;
      const rows = tableOf(row as never, allowAll.value as never);
      const { policies, views, tiers } = createRuleReader().read({ ...emptyObjects(), calicoNetworkPolicies: rows });
      const question = { of: "web", direction: "ingress", peer: "bank", traffic: "tcp/80" } as const;
      assert.equal(ask(policies, question, views, tiers).isAllowed, isOpen, action);
    }
  });

  test("Cilium: the same", () => {
    assert.deepEqual(open("ciliumNetworkPolicies", object({ endpointSelector: WEB, ingres: [] })), NOT_WEB);
    const denies = object({ endpointSelector: WEB, ingressDeny: [{ fromEndpoint: [] }] });
    assert.deepEqual(open("ciliumNetworkPolicies", denies), NOT_WEB.slice(1));
    const specs = { metadata: { name: "p", namespace: "shop" }, specs: [{ endpointSelector: WEB, x: 1 }] };
    assert.deepEqual(open("ciliumNetworkPolicies", specs), ["web ingress n1", "bank ingress web"]);
  });

  test("one that is only to be counted is only counted", () => {
    const audit = { "policy.twill.dev/mode": "audit" };
    assert.equal(open("networkPolicies", object({ podSelector: {}, x: 1 }, audit)).length, 6);
    const typo = { "policy.twill.dev/mode": "adit" };
    assert.equal(open("networkPolicies", object({ podSelector: {}, x: 1 }, typo)).length, 2);
  });

  test("policies of the cluster close nothing, nor does what has no name", () => {
    const wrong = { metadata: { name: "p" }, spec: { tier: "Admin", priority: 1, subject: {}, x: 1 } };
    assert.equal(open("clusterNetworkPolicies", wrong).length, 6);
    assert.equal(closedRow(kindOf("networkPolicies"), { metadata: {}, spec: {} }, interner), undefined);
  });
});

test("a refused set has the networks that can be read: what denies them goes on to", () => {
  const metadata = { name: "bad", namespace: "shop", labels: { kind: "bad", count: 7 } };
  for (const [table, field] of [
    ["globalNetworkSets", "nets"],
    ["networkSets", "nets"],
    ["ciliumCidrGroups", "externalCIDRs"],
  ] as const) {
    const value = { metadata, spec: { [field]: ["203.0.113.0/24", "nonsense", 7, "198.51.100.1"], more: 1 } };
    assert.ok(!kindOf(table).parse(value, interner).ok, "it is refused");
    const row = closedRow(kindOf(table), value, interner) as { nets?: Prefix[]; cidrs?: Prefix[]; labels: Labels };
    assert.deepEqual(
      [...(row.nets ?? row.cidrs ?? [])].map((n) => n.text),
      ["203.0.113.0/24", "198.51.100.1/32"],
    );
    assert.deepEqual([...row.labels], [["kind", "bad"]]);
  }
  const nothing = closedRow(kindOf("globalNetworkSets"), { metadata, spec: "nonsense" }, interner);
  assert.deepEqual((nothing as { nets?: Prefix[] }).nets, []);
});

test("an earlier version stays in force while a later one is refused, until it is put right or goes", () => {
  const state = createSourceState();
  const sink = createTableSink(kindOf("networkPolicies"), state, () => {});
  const row = () => state.store.snapshot().tables.networkPolicies.get("shop/p");
  const good = object({ podSelector: WEB, policyTypes: ["Ingress"] });
  const wrong = object({ podSelector: {}, policyTypes: ["Ingress"], x: 1 });
  sink.changed([{ type: "ADDED", object: good }]);
  const before = row();
  sink.changed([{ type: "MODIFIED", object: wrong }]);
  assert.equal(row(), before);
  assert.equal(state.health().problemCount, 1);
  sink.listBegins();
  sink.listed([wrong]);
  sink.listEnds();
  assert.equal(row(), before, "also through a new list");
  sink.changed([{ type: "DELETED", object: wrong }]);
  assert.equal(row(), undefined);
  sink.changed([{ type: "ADDED", object: wrong }]);
  assert.deepEqual(
    [row()?.isolatesIngress, row()?.isolatesEgress, row()?.ingress],
    [true, false, []],
    "without one it is closed",
  );
  sink.changed([
    { type: "MODIFIED", object: { ...wrong, spec: { ...(wrong.spec as object), policyTypes: ["Egress"] } } },
  ]);
  assert.deepEqual([row()?.isolatesIngress, row()?.isolatesEgress], [false, true], "as it is written now");
  sink.changed([{ type: "MODIFIED", object: good }]);
  assert.equal(row()?.podSelector.matchLabels.get("app"), "web");
  assert.equal(state.health().problemCount, 0);
  sink.changed([
    { type: "DELETED", object: good },
    { type: "ADDED", object: good },
    { type: "MODIFIED", object: wrong },
  ]);
  assert.equal(row()?.podSelector.matchLabels.get("app"), "web", "the same when it all comes at once");
  sink.changed([
    { type: "DELETED", object: good },
    { type: "ADDED", object: wrong },
  ]);
  assert.equal(row()?.podSelector.matchLabels.size, 0, "an object that comes anew has no earlier version");
});
