/** A random cluster with policies of all dialects: compiled for each node, and ready to be read literally. */

import { formatIssues, type Issue } from "../../base/issue.ts";
import type { Result } from "../../base/result.ts";
import { createInterner, type Interner } from "../../model/intern.ts";
import { podKey } from "../../model/pod.ts";
import {
  type CalicoHostEndpoint,
  parseCalicoTier,
  parseGlobalNetworkSet,
  parseHostEndpoint,
  parseNetworkSet,
} from "../../model/policy/calico-objects.ts";
import { parseCalicoNetworkPolicy, parseGlobalNetworkPolicy } from "../../model/policy/calico-policy.ts";
import {
  parseCiliumCidrGroup,
  parseCiliumClusterwideNetworkPolicy,
  parseCiliumNetworkPolicy,
} from "../../model/policy/cilium-policy.ts";
import { type Addr, addr } from "../../net/addr.ts";
import { createWorld, type World } from "../ask/world.ts";
import { translateCalicoPolicy, translateCalicoTier } from "../dialects/calico.ts";
import { translateHostEndpoint } from "../dialects/calico-host.ts";
import { calicoViews } from "../dialects/calico-labels.ts";
import { translateCiliumPolicy } from "../dialects/cilium.ts";
import { CILIUM_VIEWS } from "../dialects/cilium-labels.ts";
import { translateClusterNetworkPolicy } from "../dialects/cluster-network-policy.ts";
import { translateNetworkPolicy } from "../dialects/kubernetes.ts";
import type { LabelViews } from "../facts.ts";
import { DEFAULT_FAILSAFES, failsafePolicy } from "../failsafe.ts";
import { ciliumSays, ciliumSaysOfNode } from "../literal/cilium.ts";
import { decide } from "../literal/decide.ts";
import { type Flow, type LiteralCluster, podAt } from "../literal/flow.ts";
import { hostAllows, type LiteralHosts, nodeAt } from "../literal/host.ts";
import { dialects } from "../literal/tiers.ts";
import type { Direction } from "../rule.ts";
import type { Traffic } from "./agree.ts";
import { type CompiledNode, type CompileOptions, compileNode } from "./compiled.ts";
import { generateCluster } from "./generate.ts";
import { generateDialects, generateHosts } from "./generate-dialects.ts";
import { parseCluster } from "./parse.ts";
import { worldObjects } from "./world-tables.ts";

const OUTSIDE = [
  "203.0.113.7",
  "8.8.8.8",
  "2001:db8::7",
  "10.244.1.200",
  "192.168.77.11",
  "192.168.77.12",
  "fd00:77::12",
];
/** What rules of the generators speak of, and what they do not. */
export const MIXED_TRAFFIC: readonly Traffic[] = [
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

function viewsWith(hostEndpoints: readonly CalicoHostEndpoint[]): LabelViews {
  const calico = calicoViews(hostEndpoints, () => new Map());
  return {
    pod: (p, n) => new Map([...(calico.pod?.(p, n) ?? []), ...(CILIUM_VIEWS.pod?.(p, n) ?? [])]),
    node: (n, l) => new Map([...(calico.node?.(n, l) ?? []), ...(CILIUM_VIEWS.node?.(n, l) ?? [])]),
  };
}

/** What a node is compiled from, of all dialects. */
export type MixedSource = Required<Pick<CompileOptions, "policies" | "tiers" | "views">> & {
  readonly cluster: LiteralCluster;
};

/** See the file's comment. */
export interface MixedCluster {
  readonly nodes: readonly CompiledNode[];
  /** The same objects, to ask about. */
  readonly world: World;
  /** Addresses of pods, of nodes, and others. */
  readonly ends: readonly Addr[];
  /** Addresses that are pods' own, as text. */
  readonly pods: ReadonlySet<string>;
  /** What the nodes were compiled from. */
  readonly source: MixedSource;
  /** What the specifications say of a flow. */
  read(flow: Flow): Readonly<Record<Direction, boolean>>;
}

/** Keys matter to a world for pods and namespaces only. */
const numbered = <T>(rows: readonly T[]) => new Map(rows.map((row, i) => [`${i}`, row]));

/** What flows of nodes are about beside {@link MIXED_TRAFFIC}: failsafe ports of both directions, and of one. */
export const HOST_TRAFFIC: readonly Traffic[] = [...MIXED_TRAFFIC, [6, 22], [6, 6443], [17, 67], [17, 68]];

/**
 * The cluster of a seed.
 * @param hasHosts with host endpoints and host policies, of which its `world` knows nothing
 */
export function mixedCluster(seed: number, hasHosts = false): MixedCluster {
  const cluster = parseCluster(generateCluster(seed));
  const raw = generateDialects(seed);
  const rawHosts = hasHosts ? generateHosts(seed) : { hostEndpoints: [], hostPolicies: [] };
  const hostEndpoints = all(rawHosts.hostEndpoints, parseHostEndpoint);
  const views = viewsWith(hostEndpoints);
  const ownSets = all(raw.networkSets, parseNetworkSet);
  const globalSets = all(raw.globalNetworkSets, parseGlobalNetworkSet);
  const networkSets = [...ownSets, ...globalSets];
  const calicoPolicies = [
    ...all(raw.calico, parseCalicoNetworkPolicy),
    ...all(raw.globalCalico, parseGlobalNetworkPolicy),
  ];
  const tiers = all(raw.tiers, parseCalicoTier);
  const ciliumPolicies = [
    ...all(raw.cilium, parseCiliumNetworkPolicy),
    ...all(raw.clusterwideCilium, parseCiliumClusterwideNetworkPolicy),
    ...all(rawHosts.hostPolicies, parseCiliumClusterwideNetworkPolicy),
  ];
  const cidrGroups = all(raw.cidrGroups, parseCiliumCidrGroup);
  const backends = () => [];
  const namespaceLabels = (name: string) => cluster.namespaces.find((n) => n.name === name)?.labels ?? new Map();
  const policies = [
    ...cluster.networkPolicies.map(translateNetworkPolicy),
    ...cluster.clusterPolicies.map(translateClusterNetworkPolicy),
    ...calicoPolicies.flatMap((p) => translateCalicoPolicy(p, { networkSets, namespaceLabels, backends })),
    ...ciliumPolicies.flatMap((p) => translateCiliumPolicy(p, { cidrGroups, services: () => [], backends })),
    ...hostEndpoints.flatMap(translateHostEndpoint),
    failsafePolicy(DEFAULT_FAILSAFES),
  ];
  const source: MixedSource = { cluster, policies, tiers: tiers.map(translateCalicoTier), views };
  const nodes = cluster.nodes.map((n) =>
    compileNode(cluster, n.name, { ...source, ...(hasHosts && { hostEndpoints }) }),
  );
  const calico = { hostEndpoints, networkSets, serviceAccountLabels: () => new Map(), backends };
  const cilium = { policies: ciliumPolicies, cidrGroups, services: [], backends };
  const literal = { cluster, tiers, policies: calicoPolicies, calico };
  const others = dialects({ ...literal, cilium: (flow, pod, d) => ciliumSays(cluster, cilium, flow, pod, d) });
  const hosts: LiteralHosts = {
    ...literal,
    hostEndpoints,
    ciliumOf: (flow, node, d) => ciliumSaysOfNode(cluster, cilium, flow, node, d),
  };
  const ofNode = (flow: Flow, at: Addr, direction: Direction) => {
    const node = hasHosts ? nodeAt(hosts, at) : undefined;
    return node === undefined || hostAllows(hosts, flow, node, direction);
  };
  const read = (flow: Flow) => {
    const { egress, ingress } = decide(cluster, flow, others);
    return {
      egress: egress && ofNode(flow, flow.from, "egress"),
      ingress: ingress && ofNode(flow, flow.to, "ingress"),
    };
  };
  const ends = [...cluster.pods.flatMap((p) => p.podIps), ...OUTSIDE.map(addr)];
  const world = createWorld(
    worldObjects({
      nodes: numbered(cluster.nodes),
      pods: new Map(cluster.pods.map((p) => [podKey(p.namespace, p.name), p])),
      namespaces: new Map(cluster.namespaces.map((n) => [n.name, n])),
      networkPolicies: numbered(cluster.networkPolicies),
      clusterNetworkPolicies: numbered(cluster.clusterPolicies),
      calicoTiers: numbered(tiers),
      networkSets: numbered(ownSets),
      globalNetworkSets: numbered(globalSets),
      calicoNetworkPolicies: numbered(calicoPolicies),
      ciliumNetworkPolicies: numbered(ciliumPolicies),
      ciliumCidrGroups: numbered(cidrGroups),
    }),
  );
  const pods = new Set(ends.filter((a) => podAt(cluster, a) !== undefined).map((a) => a.text));
  return { nodes, world, ends, pods, source, read };
}
