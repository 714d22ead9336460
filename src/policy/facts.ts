/** From the cluster's objects to what predicates can ask about addresses. */

import { objectNumber } from "../base/object-number.ts";
import type { Namespace } from "../model/namespace.ts";
import type { Node } from "../model/node.ts";
import { hasOwnAddresses, type Pod, type PortProtocol } from "../model/pod.ts";
import { type Addr, addrEqual } from "../net/addr.ts";
import { nthAddr } from "../net/prefix.ts";
import type { Said } from "./fact-table.ts";
import type { LabelMap } from "./label-expr.ts";
import type { AddressFacts, Entity, Facts, LabelDomain, NamedPort } from "./rule.ts";

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
function namedPortsOf(pod: Pod): NamedPort[] {
  return pod.ports
    .filter((p) => p.name !== "")
    .map((p) => ({ name: p.name, protocol: PORT_PROTOCOL_NUMBERS[p.protocol], port: p.port }));
}

/** Kept for each way to look at pods. With more the sharing begins anew, which costs memory and changes nothing. */
export const MAX_SHARED = 16_384;

/** Facts by the numbers of what they are made from: thirty thousand pods have a few thousand different ones. */
const sharedByViews = new WeakMap<LabelViews, Map<string, Facts>>();

/** What is known of a pod, whatever its addresses are. Labels and ports of pods are shared themselves: see `src/model/intern.ts`. */
export function podTraits(pod: Pod, namespace: LabelMap, views: LabelViews): Facts {
  const shared = sharedByViews.get(views) ?? new Map<string, Facts>();
  sharedByViews.set(views, shared);
  const view = views.pod?.(pod, namespace);
  const parts = [pod.labels, namespace, pod.ports, ...(view === undefined ? [] : [view])];
  const key = parts.map(objectNumber).join(" ");
  const known = shared.get(key);
  if (known !== undefined) return known;
  if (shared.size >= MAX_SHARED) shared.clear();
  const labels = new Map<LabelDomain, readonly LabelMap[]>([
    ["pod", [pod.labels]],
    ["namespace", [namespace]],
    ...(view ?? []),
  ]);
  const facts = { entities: POD, labels, namedPorts: namedPortsOf(pod), services: NO_SERVICES };
  shared.set(key, facts);
  return facts;
}

/** An address with what is known of it and of others. A copy with other facts must not name these as shared. */
export function factsAt(addr: Addr, shared: Facts): AddressFacts {
  return { addr, shared, ...shared };
}

/** What is known of a pod's addresses; undefined when it has none of its own. */
export function podSays(pod: Pod, namespace: LabelMap, views: LabelViews = {}): Said | undefined {
  return hasOwnAddresses(pod) ? { addrs: pod.podIps, facts: podTraits(pod, namespace, views) } : undefined;
}

/** {@link podSays} for each address. */
export function podFacts(pod: Pod, namespace: LabelMap, views: LabelViews = {}): AddressFacts[] {
  const said = podSays(pod, namespace, views);
  return said === undefined ? [] : said.addrs.map((addr) => ({ addr, ...said.facts }));
}

/** Addresses that are the node's: those of its object, and the first of each pod CIDR, by which pods see it. */
export function nodeAddrs(node: Node): Addr[] {
  const all = [...node.internalIps, ...node.externalIps, ...node.podCidrs.map((c) => nthAddr(c, 1n))];
  return all.filter((a, i) => all.findIndex((b) => addrEqual(a, b)) === i);
}

/** What is known of a node's addresses. */
export function nodeSays(node: Node, isLocal: boolean, views: LabelViews = {}): Said {
  const labels = new Map<LabelDomain, readonly LabelMap[]>([
    ["node", [node.labels]],
    ...(views.node?.(node, isLocal) ?? []),
  ]);
  const entities = isLocal ? HOST : REMOTE_NODE;
  return { addrs: nodeAddrs(node), facts: { entities, labels, namedPorts: [], services: NO_SERVICES } };
}

/** {@link nodeSays} for each address. */
export function nodeFacts(node: Node, isLocal: boolean, views: LabelViews = {}): AddressFacts[] {
  const { addrs, facts } = nodeSays(node, isLocal, views);
  return addrs.map((addr) => ({ addr, ...facts }));
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
