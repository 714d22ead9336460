/**
 * The tables say what the specifications say: a compiled cluster against the literal evaluator, for random clusters and
 * flows. `TWILL_POLICY_CLUSTERS` says how many clusters (one is some 600 flows), `TWILL_POLICY_SEED` where to begin.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterNetworkPolicy } from "../model/policy/cluster-network-policy.ts";
import type { NetworkPolicy } from "../model/policy/network-policy.ts";
import { addr } from "../net/addr.ts";
import { createCompiler } from "./compile.ts";
import { translateClusterNetworkPolicy } from "./dialects/cluster-network-policy.ts";
import { translateNetworkPolicy } from "./dialects/kubernetes.ts";
import { decide } from "./literal/decide.ts";
import type { LiteralCluster } from "./literal/flow.ts";
import { createPartition } from "./partition.ts";
import { assertAgree, flowsBetween, type Traffic } from "./testing/agree.ts";
import { type CompiledNode, compileNode } from "./testing/compiled.ts";
import { generateCluster } from "./testing/generate.ts";
import { parseCluster } from "./testing/parse.ts";
import { createRandom } from "./testing/random.ts";

/** Seeds that failed once. */
const REGRESSIONS: readonly number[] = [];

const OUTSIDE = [
  "203.0.113.7",
  "8.8.8.8",
  "2001:db8::7",
  "10.244.1.200",
  "10.244.1.1",
  "192.168.77.11",
  "192.168.77.12",
  "fd00:77::12",
];
const TRAFFIC: readonly Traffic[] = [
  [6, 80],
  [6, 81],
  [6, 53],
  [6, 8081],
  [17, 53],
  [17, 80],
  [132, 80],
  [132, 65535],
  [136, 80],
  [1, 0x0800],
  [58, 0x8000],
  [47, 0],
  // Neighbours of the protocols that have ports, and both ends.
  [7, 0],
  [18, 0],
  [133, 0],
  [0, 0],
  [255, 0],
];

function compare(seed: number): number {
  const cluster = parseCluster(generateCluster(seed));
  return compareWith(
    seed,
    cluster,
    cluster.nodes.map((n) => compileNode(cluster, n.name)),
  );
}

function compareWith(seed: number, cluster: LiteralCluster, nodes: readonly CompiledNode[]): number {
  const ends = [...cluster.pods.flatMap((p) => p.podIps), ...OUTSIDE.map(addr)];
  return assertAgree(seed, flowsBetween(ends, TRAFFIC, seed), nodes, (flow) => decide(cluster, flow));
}

for (const seed of REGRESSIONS) test(`seed ${seed}, which failed once`, () => assert.ok(compare(seed) > 0));

test("tables and specifications agree on random clusters", (t) => {
  const first = Number(process.env["TWILL_POLICY_SEED"] ?? 1);
  const count = Number(process.env["TWILL_POLICY_CLUSTERS"] ?? 150);
  let flows = 0;
  for (let seed = first; seed < first + count; seed++) flows += compare(seed);
  t.diagnostic(`seeds ${first} to ${first + count - 1}, ${flows} flows`);
  assert.ok(flows > count * 100, `only ${flows} flows`);
});

test("what was compiled before leaves no trace: policies and labels come and go, tables and specifications agree", () => {
  const count = Math.ceil(Number(process.env["TWILL_POLICY_CLUSTERS"] ?? 150) / 10);
  for (let seed = 1; seed <= count; seed++) {
    const whole = parseCluster(generateCluster(seed));
    const other = parseCluster(generateCluster(seed + 5000));
    const r = createRandom(seed);
    const machines = whole.nodes.map((n) => ({
      name: n.name,
      compiler: createCompiler(),
      partition: createPartition(),
    }));
    const compiled = [...whole.networkPolicies, ...other.networkPolicies].map(createTranslation);
    const cluster = [...whole.clusterPolicies, ...other.clusterPolicies].map(createClusterTranslation);
    for (let step = 0; step < 6; step++) {
      const some = <T>(list: readonly T[]) => list.filter(() => !r.oneIn(3));
      const [knp, cnp] = [some(compiled), some(cluster)];
      const labels = r.oneIn(2) ? whole.namespaces : other.namespaces;
      const now: LiteralCluster = {
        ...whole,
        namespaces: labels,
        pods: whole.pods.map((p) => (r.oneIn(4) ? { ...p, labels: r.pick(whole.pods).labels } : p)),
        networkPolicies: knp.map((t) => t.object),
        clusterPolicies: cnp.map((t) => t.object),
      };
      const policies = [...knp, ...cnp].map((t) => t.policy);
      const nodes = machines.map((m) => compileNode(now, m.name, { ...m, policies }));
      compareWith(seed, now, nodes);
    }
  }
});

function createTranslation(object: NetworkPolicy) {
  return { object, policy: translateNetworkPolicy(object) };
}

function createClusterTranslation(object: ClusterNetworkPolicy) {
  return { object, policy: translateClusterNetworkPolicy(object) };
}
