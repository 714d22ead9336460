import assert from "node:assert/strict";
import { test } from "node:test";
import type { Namespace } from "../model/namespace.ts";
import { addr } from "../net/addr.ts";
import { translateClusterNetworkPolicy } from "./dialects/cluster-network-policy.ts";
import { translateNetworkPolicy } from "./dialects/kubernetes.ts";
import { explainEnd } from "./explain.ts";
import { clusterFacts, worldFacts } from "./facts.ts";
import { decide } from "./literal/decide.ts";
import { orderPolicies } from "./order.ts";
import { generateCluster } from "./testing/generate.ts";
import { parseCluster } from "./testing/parse.ts";

const rule = (action: string) => ({
  action,
  from: [{ namespaces: {} }],
  protocols: [{ tcp: { destinationPort: { number: 80 } } }],
});
const RAW = {
  nodes: [],
  namespaces: [{ metadata: { name: "x" } }],
  pods: ["a", "b"].map((name, i) => ({
    metadata: { namespace: "x", name, labels: { app: name } },
    spec: { nodeName: "n" },
    status: { podIP: `10.0.0.${i + 1}` },
  })),
  networkPolicies: [
    {
      metadata: { namespace: "x", name: "narrow" },
      spec: { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: "c" } } }] }] },
    },
  ],
  clusterPolicies: [
    {
      metadata: { name: "first" },
      spec: { tier: "Admin", priority: 1, subject: { namespaces: {} }, ingress: [rule("Pass"), rule("Deny")] },
    },
  ],
  adminPolicies: [],
  baselinePolicies: [],
};

function load(raw: Parameters<typeof parseCluster>[0]) {
  const cluster = parseCluster(raw);
  const namespaces = new Map(cluster.namespaces.map((n): [string, Namespace] => [n.name, n]));
  const ordered = orderPolicies([
    ...cluster.networkPolicies.map(translateNetworkPolicy),
    ...cluster.clusterPolicies.map(translateClusterNetworkPolicy),
  ]);
  return { cluster, ordered, facts: clusterFacts({ ...cluster, localNode: "node-1", namespaces }) };
}

test("explainEnd() tells each step, what decided, and what would change it", () => {
  const { ordered, facts } = load(RAW);
  const server = facts.get("10.0.0.1")!;
  const peer = facts.get("10.0.0.2")!;
  const e = explainEnd(ordered, { key: "x/a", of: "pods", facts: server }, peer, "ingress", { protocol: 6, port: 80 });
  assert.equal(e.isAllowed, false);
  assert.equal(e.because, "ingress end of tier default");
  assert.deepEqual(e.isolatedBy, ["NetworkPolicy x/narrow"]);
  assert.match(e.toChange, /^A rule that allows this source and traffic, in NetworkPolicy x\/narrow or another/);
  assert.deepEqual(
    e.steps.map((s) => `${s.tier} ${s.policy} ${s.path} ${s.action}: ${s.result}`),
    [
      "admin ClusterNetworkPolicy first spec.ingress[0] pass: passes",
      "admin ClusterNetworkPolicy first spec.ingress[1] deny: not-reached",
      "default NetworkPolicy x/narrow spec.ingress allow: other-peer",
      "default NetworkPolicy x/narrow spec.ingress[0] allow: other-peer",
      "default  end of tier default deny: decides",
    ],
  );
});

test("explainEnd() of what nobody speaks about", () => {
  const { ordered, facts } = load(RAW);
  const e = explainEnd(
    ordered,
    { key: "x/a", of: "pods", facts: facts.get("10.0.0.1")! },
    worldFacts(addr("8.8.8.8")),
    "egress",
    { protocol: 6, port: 80 },
  );
  assert.deepEqual([e.isAllowed, e.because, e.steps.length], [true, "egress no policy speaks about it", 0]);
});

test("explanations agree with the specifications, and exactly one step decides where one does", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { cluster, ordered } = load(generateCluster(seed));
    const namespaces = new Map(cluster.namespaces.map((n): [string, Namespace] => [n.name, n]));
    for (const pod of cluster.pods) {
      const facts = clusterFacts({ ...cluster, localNode: pod.nodeName ?? "", namespaces });
      const own = facts.get(pod.podIps[0]?.text ?? "");
      if (own === undefined || !own.entities.has("pod")) continue;
      for (const peer of facts.values()) {
        if (peer.addr.family !== own.addr.family || peer.addr.text === own.addr.text) continue;
        const said = decide(cluster, { from: peer.addr, to: own.addr, protocol: 6, port: 80 });
        const e = explainEnd(ordered, { key: "", of: "pods", facts: own }, peer, "ingress", { protocol: 6, port: 80 });
        assert.equal(e.isAllowed, said.ingress, `seed ${seed} ${peer.addr.text} → ${own.addr.text}`);
        const deciding = e.steps.filter((s) => s.result === "decides");
        assert.equal(deciding.length, e.because.endsWith("no policy speaks about it") ? 0 : 1);
      }
    }
  }
});
