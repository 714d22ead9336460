/** A whole cluster to ask about: both ends of any flow, each as the pod's own node judges it. Nothing is compiled. */

import type { Node } from "../../model/node.ts";
import { hasOwnAddresses, type Pod, podKey } from "../../model/pod.ts";
import type { Addr } from "../../net/addr.ts";
import { prefixHas } from "../../net/prefix.ts";
import type { Endpoint } from "../classes.ts";
import { type LabelViews, namespaceLabels, nodeAddrs, nodeFacts, podFacts, worldFacts } from "../facts.ts";
import { createRuleReader, type PolicyMode, type PolicyObjects, type PolicyRules } from "../from-objects.ts";
import type { Overlay } from "../identity.ts";
import { type OrderedTier, type Outcome, orderPolicies, policiesFor, type Step, walk, walkOf } from "../order.ts";
import { matchesPeer } from "../peer.ts";
import type { AddressFacts, Direction, PeerExpr } from "../rule.ts";
import { closedRule, type TrafficPoint, trafficMatches } from "../traffic.ts";
import { type NodeParts, nodeParts } from "./node-parts.ts";

/** The objects of a cluster. */
export interface WorldObjects extends PolicyObjects {
  readonly nodes: Iterable<Node>;
  readonly pods: Iterable<Pod>;
}

/** Something that traffic comes from or goes to. */
export interface WorldEnd {
  /** `namespace/name` of a pod, a node's name, or the address as text. */
  readonly name: string;
  readonly kind: "pod" | "node" | "outside";
  readonly addrs: readonly Addr[];
  /** Present for pods whose traffic is judged: those with a network of their own. */
  readonly pod: Pod | undefined;
  readonly node?: Node;
}

/** Somebody whose traffic is judged, as one flow of theirs is. */
export interface Judged extends Endpoint {
  /** What people call it. */
  readonly name: string;
  /** The node that judges: `host` is relative to it. */
  readonly seenFrom: string | undefined;
}

/** Protocol and port of a flow's first packet, as the tables know them. */
export type Traffic = Pick<TrafficPoint, "protocol" | "port">;

/** A cluster and its policies. */
export interface World {
  readonly objects: WorldObjects;
  readonly rules: PolicyRules;
  readonly ordered: readonly OrderedTier[];
  /** Pods with addresses of their own, by key. */
  readonly pods: ReadonlyMap<string, WorldEnd>;
  readonly nodes: readonly Node[];
  /** What is known of a pod as far as policies select it; undefined: none selects it. */
  subject(pod: Pod): AddressFacts | undefined;
  /** What the node of that name knows of an address as the other side of a flow. */
  peer(addr: Addr, seenFrom: string | undefined): AddressFacts;
  /** Who has the address. */
  endAt(addr: Addr): WorldEnd;
  /** Who is asked about flows between that end and another; undefined: nobody is. */
  judgedAt(end: WorldEnd, other: WorldEnd): Judged | undefined;
  /** What is said there about one direction. */
  judge(who: Judged, direction: Direction, peer: Addr, traffic: Traffic, withStaged?: boolean): Outcome;
}

function merged(facts: AddressFacts, overlays: readonly Overlay[]): AddressFacts {
  const over = overlays.filter((o) => prefixHas(o.prefix, facts.addr));
  if (over.length === 0) return facts;
  const labels = new Map(facts.labels);
  for (const o of over)
    for (const [domain, maps] of o.labels) labels.set(domain, [...(labels.get(domain) ?? []), ...maps]);
  return {
    ...facts,
    labels,
    entities: new Set([...facts.entities, ...over.flatMap((o) => [...o.entities])]),
    services: new Set([...facts.services, ...over.flatMap((o) => [...o.services])]),
  };
}

/** Facts of nodes differ by who looks: its own node is `host`, others are `remote-node`. */
function createNodeFacts(nodes: readonly Node[], views: LabelViews) {
  const byView = new Map<string, ReadonlyMap<string, AddressFacts>>();
  return (addr: Addr, seenFrom: string | undefined): AddressFacts | undefined => {
    const view = seenFrom ?? "";
    let known = byView.get(view);
    if (known === undefined) {
      const all = nodes.flatMap((n) => nodeFacts(n, n.name === seenFrom, views));
      known = new Map(all.map((f) => [f.addr.text, f]));
      byView.set(view, known);
    }
    return known.get(addr.text);
  };
}

class AskableWorld implements World {
  readonly objects: WorldObjects;
  readonly rules: PolicyRules;
  readonly ordered: readonly OrderedTier[];
  readonly pods: ReadonlyMap<string, WorldEnd>;
  readonly nodes: readonly Node[];
  readonly #podAt = new Map<string, WorldEnd>();
  readonly #nodeAt = new Map<string, WorldEnd>();
  readonly #facts = new Map<string, AddressFacts>();
  readonly #nodeFacts: ReturnType<typeof createNodeFacts>;
  readonly #peers = new Map<string, AddressFacts>();
  readonly #nodeParts = new Map<Node, NodeParts>();
  readonly #walks = new Map<string, readonly Step[]>();
  readonly #matches = new WeakMap<PeerExpr, WeakMap<AddressFacts, boolean>>();

  constructor(objects: WorldObjects, rules: PolicyRules) {
    this.objects = objects;
    this.rules = rules;
    this.ordered = orderPolicies(rules.policies, rules.tiers);
    this.nodes = [...objects.nodes];
    this.#nodeFacts = createNodeFacts(this.nodes, rules.views);
    for (const node of this.nodes) {
      const end: WorldEnd = { name: node.name, kind: "node", addrs: nodeAddrs(node), pod: undefined, node };
      for (const a of end.addrs) this.#nodeAt.set(a.text, end);
    }
    const pods = new Map<string, WorldEnd>();
    for (const pod of objects.pods) {
      if (!hasOwnAddresses(pod)) continue;
      const name = podKey(pod.namespace, pod.name);
      const end: WorldEnd = { name, kind: "pod", addrs: pod.podIps, pod };
      pods.set(name, end);
      const labels = namespaceLabels(pod.namespace, objects.namespaces.get(pod.namespace));
      for (const f of podFacts(pod, labels, rules.views)) {
        this.#podAt.set(f.addr.text, end);
        this.#facts.set(f.addr.text, f);
      }
    }
    this.pods = pods;
  }

  subject(pod: Pod): AddressFacts | undefined {
    const [first] = pod.podIps;
    return first && this.#facts.get(first.text);
  }

  peer(addr: Addr, seenFrom: string | undefined): AddressFacts {
    const isNode = !this.#facts.has(addr.text) && this.#nodeAt.has(addr.text);
    const key = isNode ? `${addr.text} ${seenFrom ?? ""}` : addr.text;
    let known = this.#peers.get(key);
    if (known === undefined) {
      const plain = this.#facts.get(addr.text) ?? this.#nodeFacts(addr, seenFrom) ?? worldFacts(addr);
      known = merged(plain, this.rules.overlays);
      this.#peers.set(key, known);
    }
    return known;
  }

  endAt(addr: Addr): WorldEnd {
    const outside: WorldEnd = { name: addr.text, kind: "outside", addrs: [addr], pod: undefined };
    return this.#podAt.get(addr.text) ?? this.#nodeAt.get(addr.text) ?? outside;
  }

  judgedAt(end: WorldEnd, other: WorldEnd): Judged | undefined {
    if (end.pod !== undefined) {
      const facts = this.subject(end.pod);
      return facts && { key: `pod ${end.name}`, of: "pods", facts, name: end.name, seenFrom: end.pod.nodeName };
    }
    const { node } = end;
    if (node === undefined) return undefined;
    const part = this.#parts(node)[other.pod === undefined ? "wire" : "pods"];
    return part && { ...part, key: `node ${node.name} ${part.key}`, name: node.name, seenFrom: node.name };
  }

  judge(who: Judged, direction: Direction, peer: Addr, traffic: Traffic, withStaged = false): Outcome {
    const other = this.peer(peer, who.seenFrom);
    const names = (direction === "ingress" ? who.facts : other).namedPorts;
    const at = { ...traffic, family: peer.family };
    return walk(
      this.#walk(who, direction),
      ({ rule }) => this.#isPeer(rule.peer, other) && rule.traffic.some((t) => trafficMatches(t, at, names)),
      withStaged,
    );
  }

  #parts(node: Node): NodeParts {
    const known =
      this.#nodeParts.get(node) ?? nodeParts(node, this.objects.hostEndpoints, this.rules.views, this.ordered);
    this.#nodeParts.set(node, known);
    return known;
  }

  /** Rules are closed here as the tables close them. */
  #walk(who: Judged, direction: Direction): readonly Step[] {
    const key = `${direction} ${who.key}`;
    let steps = this.#walks.get(key);
    if (steps === undefined) {
      steps = walkOf(policiesFor(this.ordered, who.of, who.facts, direction), direction).map(
        (s): Step => (s.kind === "end" ? s : { ...s, rule: { ...s.rule, ...closedRule(s.rule) } }),
      );
      this.#walks.set(key, steps);
    }
    return steps;
  }

  #isPeer(expr: PeerExpr, facts: AddressFacts): boolean {
    if (expr.kind === "any") return true;
    const known = this.#matches.get(expr) ?? new WeakMap<AddressFacts, boolean>();
    this.#matches.set(expr, known);
    const answer = known.get(facts) ?? matchesPeer(expr, facts);
    known.set(facts, answer);
    return answer;
  }
}

/** The cluster that the objects make. @param mode which pods are closed that no policy isolates */
export function createWorld(objects: WorldObjects, mode: PolicyMode = "default"): World {
  return new AskableWorld(objects, createRuleReader(mode).read(objects));
}
