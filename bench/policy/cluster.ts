/** A cluster of any size that nobody runs: the objects that its API would show. The same size, the same cluster. */

import type { ClusterTable } from "../../src/cluster/source.ts";
import { createRandom, type Random } from "../../src/policy/testing/random.ts";
import { APPS_PER_NAMESPACE, makePolicy, type RawObject, TEAMS } from "./policies.ts";

/** How large. */
export interface ClusterSize {
  readonly pods: number;
  readonly namespaces: number;
  readonly nodes: number;
  readonly policies: number;
  /** Pods of {@link LOCAL_NODE}, part of `pods`. */
  readonly localPods: number;
}

/** What is promised. */
export const FULL_SIZE: ClusterSize = { pods: 30_000, namespaces: 300, nodes: 1_000, policies: 10_000, localPods: 100 };
/** To see that everything works. */
export const TINY_SIZE: ClusterSize = { pods: 600, namespaces: 12, nodes: 20, policies: 200, localPods: 20 };

/** The node whose agent is measured. */
export const LOCAL_NODE = "node-0";

/** Of {@link LOCAL_NODE}, where it is more than an object: those that the fixture's first node has. */
export const NODE_ADDRESSES = ["192.168.78.1", "fd00:78::1"].map((address) => ({ type: "InternalIP", address }));

/** API version and kind of the tables that are filled. */
export const API_KINDS: Readonly<Partial<Record<ClusterTable, readonly [apiVersion: string, kind: string]>>> = {
  namespaces: ["v1", "Namespace"],
  nodes: ["v1", "Node"],
  pods: ["v1", "Pod"],
  networkPolicies: ["networking.k8s.io/v1", "NetworkPolicy"],
  calicoTiers: ["projectcalico.org/v3", "Tier"],
  globalNetworkSets: ["projectcalico.org/v3", "GlobalNetworkSet"],
  calicoNetworkPolicies: ["projectcalico.org/v3", "NetworkPolicy"],
  globalNetworkPolicies: ["projectcalico.org/v3", "GlobalNetworkPolicy"],
  ciliumNetworkPolicies: ["cilium.io/v2", "CiliumNetworkPolicy"],
  ciliumClusterwideNetworkPolicies: ["cilium.io/v2", "CiliumClusterwideNetworkPolicy"],
  clusterNetworkPolicies: ["policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"],
};

const TIERS = ["frontend", "backend", "data"];

function nodeObject(i: number): object {
  return {
    metadata: {
      name: `node-${i}`,
      uid: `n-${i}`,
      labels: { "kubernetes.io/hostname": `node-${i}`, "topology.kubernetes.io/zone": `z${i % 3}` },
    },
    spec: { podCIDRs: [`10.${128 + (i >> 8)}.${i & 255}.0/24`, `fd00:10:244:${i.toString(16)}::/64`] },
    status: { addresses: [{ type: "InternalIP", address: `192.0.${2 + (i >> 8)}.${i & 255}` }] },
  };
}

/** A namespace; its team and stage can be given, to change them. */
export function namespaceObject(i: number, r: Random): object {
  const name = `ns-${i}`;
  const env = r.pick(["prod", "prod", "staging", "dev"]);
  return {
    metadata: { name, labels: { "kubernetes.io/metadata.name": name, team: `team-${r.below(TEAMS)}`, env } },
  };
}

/** Where a pod runs. */
interface PodPlace {
  readonly node: number;
  /** Counted on its node. */
  readonly slot: number;
}

/** One pod; every tenth application is a StatefulSet, whose pods have a label each. */
export function podObject(i: number, size: ClusterSize, { node, slot }: PodPlace, revision = 0): object {
  const namespace = i % size.namespaces;
  const at = Math.floor(i / size.namespaces) % APPS_PER_NAMESPACE;
  const app = `app-${at}`;
  const isStateful = at === APPS_PER_NAMESPACE - 1;
  const name = `${app}-${i}`;
  const isDns = namespace === 0 && at === 0;
  const own = isStateful
    ? { "statefulset.kubernetes.io/pod-name": name }
    : { "pod-template-hash": `${(namespace * 31 + at + revision).toString(16)}c9d` };
  return {
    metadata: {
      name,
      namespace: `ns-${namespace}`,
      uid: `5b0f7a4e-9f61-4c1e-8f57-${String(i).padStart(12, "0")}`,
      labels: {
        app,
        tier: TIERS[(at + revision) % TIERS.length],
        "app.kubernetes.io/part-of": `ns-${namespace}`,
        version: `v${1 + (at % 2)}`,
        ...(isDns && { "k8s-app": "kube-dns" }),
        ...own,
      },
    },
    spec: {
      nodeName: `node-${node}`,
      serviceAccountName: app,
      containers: [
        {
          name: "c",
          image: "i",
          ports: [
            { name: "http", containerPort: at % 2 === 0 ? 8080 : 8000 },
            { name: "metrics", containerPort: 9090 },
          ],
        },
      ],
    },
    status: {
      phase: "Running",
      podIPs: [
        { ip: `10.${128 + (node >> 8)}.${node & 255}.${2 + slot}` },
        { ip: `fd00:10:244:${node.toString(16)}::${(2 + slot).toString(16)}` },
      ],
    },
  };
}

/** Where each pod runs: the local ones are drawn, the others are spread. */
function placesOf(size: ClusterSize, r: Random): PodPlace[] {
  const local = new Set<number>();
  while (local.size < size.localPods) local.add(r.below(size.pods));
  const slots = new Array<number>(size.nodes).fill(0);
  let other = 0;
  return Array.from({ length: size.pods }, (_, i) => {
    const node = local.has(i) ? 0 : 1 + (other++ % (size.nodes - 1));
    const slot = slots[node] ?? 0;
    slots[node] = slot + 1;
    return { node, slot };
  });
}

/** A cluster's objects, and the means to change them. */
export interface SyntheticCluster {
  readonly size: ClusterSize;
  readonly places: readonly PodPlace[];
  readonly objects: readonly RawObject[];
}

/** Makes all objects. */
export function makeCluster(size: ClusterSize): SyntheticCluster {
  const r = createRandom(1);
  const places = placesOf(size, r);
  const many = (table: ClusterTable, n: number, make: (i: number) => object): RawObject[] =>
    Array.from({ length: n }, (_, i) => ({ table, object: make(i) }));
  const set = (i: number) => ({
    metadata: { name: `set-${i}`, labels: { set: `set-${i}` } },
    spec: { nets: Array.from({ length: 20 }, (_, k) => `198.18.${i}.${8 * k}/29`) },
  });
  return {
    size,
    places,
    objects: [
      ...many("namespaces", size.namespaces, (i) => namespaceObject(i, r)),
      ...many("nodes", size.nodes, nodeObject),
      ...many("pods", size.pods, (i) => podObject(i, size, places[i] as PodPlace)),
      ...many("calicoTiers", 1, () => ({ metadata: { name: "security" }, spec: { order: 100 } })),
      ...many("globalNetworkSets", 20, set),
      ...Array.from({ length: size.policies }, (_, i) => makePolicy(i, r, size.namespaces)),
    ],
  };
}
