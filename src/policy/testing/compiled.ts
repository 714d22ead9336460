/** A whole cluster compiled for each of its nodes, so that both ends of any flow can be judged. */

import type { Namespace } from "../../model/namespace.ts";
import { hasOwnAddresses, podKey } from "../../model/pod.ts";
import type { CalicoHostEndpoint } from "../../model/policy/calico-objects.ts";
import type { Addr } from "../../net/addr.ts";
import type { Endpoint } from "../classes.ts";
import { type Compiler, type CompileStep, createCompiler } from "../compile.ts";
import { translateClusterNetworkPolicy } from "../dialects/cluster-network-policy.ts";
import { translateNetworkPolicy } from "../dialects/kubernetes.ts";
import { clusterFacts, type LabelViews, nodeAddrs } from "../facts.ts";
import { hostParts, judgedParts } from "../host-parts.ts";
import type { Overlay } from "../identity.ts";
import { judgeFlow } from "../judge.ts";
import type { Flow, LiteralCluster } from "../literal/flow.ts";
import { type OrderedTier, orderPolicies } from "../order.ts";
import { createPartition, type Partition } from "../partition.ts";
import type { Policy, Tier } from "../rule.ts";
import type { PolicyTables, Verdict } from "../table.ts";

/** One node's tables. */
export interface CompiledNode {
  readonly tables: PolicyTables;
  readonly partition: Partition;
  endpointAt(addr: Addr): string | undefined;
  /** The node's own addresses. */
  readonly ownAddrs: readonly Addr[];
}

/** What a compilation can be given beyond the cluster. */
export interface CompileOptions {
  /** Those of an earlier compilation, to follow what changed. */
  readonly compiler?: Compiler;
  readonly partition?: Partition;
  /** All policies, of all dialects; absent: the cluster's own, translated. */
  readonly policies?: Iterable<Policy>;
  readonly tiers?: readonly Tier[];
  readonly views?: LabelViews;
  readonly overlays?: readonly Overlay[];
  /** Present: the node itself is judged, too. Of all interfaces, since it has no devices here. */
  readonly hostEndpoints?: readonly CalicoHostEndpoint[];
}

/** The node's own part, if anybody speaks of it, and its addresses. */
function ownPart(cluster: LiteralCluster, name: string, ordered: readonly OrderedTier[], o: CompileOptions) {
  const node = cluster.nodes.find((n) => n.name === name);
  if (o.hostEndpoints === undefined || node === undefined) return { parts: [], addrs: [] };
  const parts = judgedParts(ordered, hostParts(node, o.hostEndpoints, [], o.views ?? {}).parts);
  return { parts, addrs: parts.length === 0 ? [] : nodeAddrs(node) };
}

/** What a node's compilation is made from; its addresses are in the partition already. */
function prepare(cluster: LiteralCluster, node: string, options: CompileOptions) {
  const { compiler = createCompiler(), partition = createPartition(), policies = translated(cluster) } = options;
  const namespaces = new Map(cluster.namespaces.map((n): [string, Namespace] => [n.name, n]));
  const objects = { localNode: node, nodes: cluster.nodes, namespaces, pods: cluster.pods };
  const facts = clusterFacts(objects, options.views);
  partition.overlay(options.overlays ?? []);
  for (const f of facts.values()) partition.set(f);
  const at = new Map<string, string>();
  const endpoints: Endpoint[] = [];
  for (const pod of cluster.pods) {
    const [first] = pod.podIps;
    const known = first && facts.get(first.text);
    if (pod.nodeName !== node || !hasOwnAddresses(pod) || known === undefined) continue;
    const key = podKey(pod.namespace, pod.name);
    endpoints.push({ key, of: "pods", facts: known });
    for (const a of pod.podIps) at.set(a.text, key);
  }
  const ordered = orderPolicies(policies, options.tiers);
  const { parts, addrs } = ownPart(cluster, node, ordered, options);
  endpoints.push(...parts);
  for (const { key } of parts) for (const a of addrs) if (!at.has(a.text)) at.set(a.text, key);
  return { compiler, partition, ordered, endpoints, at };
}

/** Compiles what one node enforces. */
export function compileNode(cluster: LiteralCluster, node: string, options: CompileOptions = {}): CompiledNode {
  const { compiler, partition, ordered, endpoints, at } = prepare(cluster, node, options);
  const tables = compiler.compile(ordered, endpoints, partition);
  const own = cluster.nodes.find((n) => n.name === node);
  return { tables, partition, endpointAt: (a) => at.get(a.text), ownAddrs: own === undefined ? [] : nodeAddrs(own) };
}

/** The states on the way to what one node enforces. */
export function stepsOfNode(cluster: LiteralCluster, node: string, options: CompileOptions): Generator<CompileStep> {
  const { compiler, partition, ordered, endpoints } = prepare(cluster, node, options);
  return compiler.steps(ordered, endpoints, partition);
}

/** The cluster's policies as rules. */
function translated(cluster: LiteralCluster): Policy[] {
  return [
    ...cluster.networkPolicies.map(translateNetworkPolicy),
    ...cluster.clusterPolicies.map(translateClusterNetworkPolicy),
  ];
}

/** What the tables of the nodes at both ends say. */
export function judgeAcross(
  nodes: readonly CompiledNode[],
  flow: Flow,
): { readonly egress: Verdict | undefined; readonly ingress: Verdict | undefined } {
  const verdicts = nodes.map((n) => judgeFlow(n.tables, n.partition, n.endpointAt, flow));
  return {
    egress: verdicts.find((v) => v.egress !== undefined)?.egress,
    ingress: verdicts.find((v) => v.ingress !== undefined)?.ingress,
  };
}
