/**
 * All dialects at once, compiled, against the literal readings of each, for random clusters and flows.
 * `TWILL_POLICY_MIXED` says how many clusters, `TWILL_POLICY_SEED` where to begin.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIssues, type Issue } from "../base/issue.ts";
import type { Result } from "../base/result.ts";
import { createInterner, type Interner } from "../model/intern.ts";
import { parseCalicoTier, parseGlobalNetworkSet, parseNetworkSet } from "../model/policy/calico-objects.ts";
import { parseCalicoNetworkPolicy, parseGlobalNetworkPolicy } from "../model/policy/calico-policy.ts";
import {
  parseCiliumCidrGroup,
  parseCiliumClusterwideNetworkPolicy,
  parseCiliumNetworkPolicy,
} from "../model/policy/cilium-policy.ts";
import { addr } from "../net/addr.ts";
import { translateCalicoPolicy, translateCalicoTier } from "./dialects/calico.ts";
import { calicoViews } from "./dialects/calico-labels.ts";
import { translateCiliumPolicy } from "./dialects/cilium.ts";
import { CILIUM_VIEWS } from "./dialects/cilium-labels.ts";
import { translateClusterNetworkPolicy } from "./dialects/cluster-network-policy.ts";
import { translateNetworkPolicy } from "./dialects/kubernetes.ts";
import type { LabelViews } from "./facts.ts";
import { ciliumSays } from "./literal/cilium.ts";
import { decide } from "./literal/decide.ts";
import { dialects } from "./literal/tiers.ts";
import { assertAgree, flowsBetween, type Traffic } from "./testing/agree.ts";
import { compileNode } from "./testing/compiled.ts";
import { generateCluster } from "./testing/generate.ts";
import { generateDialects } from "./testing/generate-dialects.ts";
import { parseCluster } from "./testing/parse.ts";

/** Seeds that failed once. */
const REGRESSIONS: readonly number[] = [];

const OUTSIDE = [
  "203.0.113.7",
  "8.8.8.8",
  "2001:db8::7",
  "10.244.1.200",
  "192.168.77.11",
  "192.168.77.12",
  "fd00:77::12",
];
const TRAFFIC: readonly Traffic[] = [
  [6, 80],
  [6, 53],
  [6, 8081],
  [17, 53],
  [132, 80],
  [136, 80],
  [1, 0x0800],
  [1, 0],
  [58, 0x8000],
  [47, 0],
];

const interner = createInterner();

function all<T>(values: readonly object[], parse: (v: unknown, i: Interner) => Result<T, readonly Issue[]>): T[] {
  return values.map((value) => {
    const result = parse(value, interner);
    if (!result.ok) throw new Error(`Refused ${JSON.stringify(value)}: ${formatIssues(result.error)}`);
    return result.value;
  });
}

const calico = calicoViews([], () => new Map());
const views: LabelViews = {
  pod: (p, n) => new Map([...(calico.pod?.(p, n) ?? []), ...(CILIUM_VIEWS.pod?.(p, n) ?? [])]),
  node: (n, l) => new Map([...(calico.node?.(n, l) ?? []), ...(CILIUM_VIEWS.node?.(n, l) ?? [])]),
};

function prepare(seed: number) {
  const cluster = parseCluster(generateCluster(seed));
  const raw = generateDialects(seed);
  const networkSets = [...all(raw.networkSets, parseNetworkSet), ...all(raw.globalNetworkSets, parseGlobalNetworkSet)];
  const calicoPolicies = [
    ...all(raw.calico, parseCalicoNetworkPolicy),
    ...all(raw.globalCalico, parseGlobalNetworkPolicy),
  ];
  const tiers = all(raw.tiers, parseCalicoTier);
  const ciliumPolicies = [
    ...all(raw.cilium, parseCiliumNetworkPolicy),
    ...all(raw.clusterwideCilium, parseCiliumClusterwideNetworkPolicy),
  ];
  const cidrGroups = all(raw.cidrGroups, parseCiliumCidrGroup);
  const backends = () => [];
  const namespaceLabels = (name: string) => cluster.namespaces.find((n) => n.name === name)?.labels ?? new Map();
  const policies = [
    ...cluster.networkPolicies.map(translateNetworkPolicy),
    ...cluster.clusterPolicies.map(translateClusterNetworkPolicy),
    ...calicoPolicies.flatMap((p) => translateCalicoPolicy(p, { networkSets, namespaceLabels, backends })),
    ...ciliumPolicies.flatMap((p) => translateCiliumPolicy(p, { cidrGroups, services: [], backends })),
  ];
  const nodes = cluster.nodes.map((n) =>
    compileNode(cluster, n.name, { policies, tiers: tiers.map(translateCalicoTier), views }),
  );
  const others = dialects({
    cluster,
    tiers,
    policies: calicoPolicies,
    calico: { networkSets, serviceAccountLabels: () => new Map(), backends },
    cilium: (flow, pod, d) =>
      ciliumSays(cluster, { policies: ciliumPolicies, cidrGroups, services: [], backends }, flow, pod, d),
  });
  return { cluster, nodes, others };
}

function compare(seed: number): number {
  const { cluster, nodes, others } = prepare(seed);
  const ends = [...cluster.pods.flatMap((p) => p.podIps), ...OUTSIDE.map(addr)];
  return assertAgree(seed, flowsBetween(ends, TRAFFIC, seed), nodes, (flow) => decide(cluster, flow, others));
}

for (const seed of REGRESSIONS) test(`seed ${seed}, which failed once`, () => assert.ok(compare(seed) > 0));

test("tables and specifications agree on random clusters of all dialects", (t) => {
  const first = Number(process.env["TWILL_POLICY_SEED"] ?? 1);
  const count = Number(process.env["TWILL_POLICY_MIXED"] ?? 60);
  let flows = 0;
  for (let seed = first; seed < first + count; seed++) flows += compare(seed);
  t.diagnostic(`seeds ${first} to ${first + count - 1}, ${flows} flows`);
  assert.ok(flows > count * 100, `only ${flows} flows`);
});
