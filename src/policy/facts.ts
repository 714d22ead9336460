/** From the cluster's objects to what predicates can ask about addresses. */

import type { Namespace } from "../model/namespace.ts";
import type { Node } from "../model/node.ts";
import { hasOwnAddresses, type Pod, type PortProtocol } from "../model/pod.ts";
import { type Addr, addrEqual } from "../net/addr.ts";
import { nthAddr } from "../net/prefix.ts";
import type { LabelMap } from "./label-expr.ts";
import type { AddressFacts, Entity, LabelDomain, NamedPort } from "./rule.ts";

/** IANA numbers of the protocols that containers can declare. */
export const PORT_PROTOCOL_NUMBERS: Readonly<Record<PortProtocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/** More maps of labels for an address: the merged views that Calico and Cilium have of pods and nodes. */
export interface LabelViews {
  pod?(pod: Pod, namespace: LabelMap): ReadonlyMap<LabelDomain, readonly LabelMap[]>;
  node?(node: Node, isLocal: boolean): ReadonlyMap<LabelDomain, readonly LabelMap[]>;
}

/** The objects that facts come from. */
export interface ClusterObjects {
  /** The node that enforces: `host` is relative to it. */
  readonly localNode: string;
  readonly nodes: Iterable<Node>;
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly pods: Iterable<Pod>;
}

const NO_SERVICES: ReadonlySet<string> = new Set();
const POD: ReadonlySet<Entity> = new Set<Entity>(["pod"]);
const HOST: ReadonlySet<Entity> = new Set<Entity>(["host"]);
const REMOTE_NODE: ReadonlySet<Entity> = new Set<Entity>(["remote-node"]);

/** Labels of a namespace whose object is not known: its name, which policies of the namespace select by. */
export function namespaceLabels(name: string, namespace: Namespace | undefined): LabelMap {
  return namespace?.labels ?? new Map([["kubernetes.io/metadata.name", name]]);
}

/** The named ports that a pod declares. */
export function namedPortsOf(pod: Pod): NamedPort[] {
  return pod.ports
    .filter((p) => p.name !== "")
    .map((p) => ({ name: p.name, protocol: PORT_PROTOCOL_NUMBERS[p.protocol], port: p.port }));
}

/** What is known of each address of a pod; nothing when it has none of its own. */
export function podFacts(pod: Pod, namespace: LabelMap, views: LabelViews = {}): AddressFacts[] {
  if (!hasOwnAddresses(pod)) return [];
  const labels = new Map<LabelDomain, readonly LabelMap[]>([
    ["pod", [pod.labels]],
    ["namespace", [namespace]],
    ...(views.pod?.(pod, namespace) ?? []),
  ]);
  const namedPorts = namedPortsOf(pod);
  return pod.podIps.map((addr) => ({ addr, entities: POD, labels, namedPorts, services: NO_SERVICES }));
}

/** Addresses that are the node's: those of its object, and the first of each pod CIDR, by which pods see it. */
export function nodeAddrs(node: Node): Addr[] {
  const all = [...node.internalIps, ...node.externalIps, ...node.podCidrs.map((c) => nthAddr(c, 1n))];
  return all.filter((a, i) => all.findIndex((b) => addrEqual(a, b)) === i);
}

/** What is known of each address of a node. */
export function nodeFacts(node: Node, isLocal: boolean, views: LabelViews = {}): AddressFacts[] {
  const labels = new Map<LabelDomain, readonly LabelMap[]>([
    ["node", [node.labels]],
    ...(views.node?.(node, isLocal) ?? []),
  ]);
  const entities = isLocal ? HOST : REMOTE_NODE;
  return nodeAddrs(node).map((addr) => ({ addr, entities, labels, namedPorts: [], services: NO_SERVICES }));
}

/** All addresses of the cluster, as one node sees them. A pod's address wins over a node's. */
export function clusterFacts(objects: ClusterObjects, views: LabelViews = {}): Map<string, AddressFacts> {
  const out = new Map<string, AddressFacts>();
  for (const node of objects.nodes)
    for (const facts of nodeFacts(node, node.name === objects.localNode, views)) out.set(facts.addr.text, facts);
  for (const pod of objects.pods) {
    const namespace = namespaceLabels(pod.namespace, objects.namespaces.get(pod.namespace));
    for (const facts of podFacts(pod, namespace, views)) out.set(facts.addr.text, facts);
  }
  return out;
}

/** What is known of an address that is neither a pod's nor a node's. */
export function worldFacts(addr: Addr): AddressFacts {
  return { addr, entities: WORLD, labels: new Map(), namedPorts: [], services: NO_SERVICES };
}

const WORLD: ReadonlySet<Entity> = new Set<Entity>(["world"]);
