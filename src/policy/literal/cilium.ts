/**
 * Cilium's policies as its documentation words them, one end of a flow at a time, and slow. It shares no code with what
 * translates and compiles policies: a test holds one against the other.
 */

import type { Node } from "../../model/node.ts";
import type { Pod } from "../../model/pod.ts";
import type { CiliumEntity, CiliumPeer } from "../../model/policy/cilium-peer.ts";
import type { CiliumCidrGroup, CiliumPolicy, CiliumRule, CiliumSpec } from "../../model/policy/cilium-policy.ts";
import type { CiliumPortRule } from "../../model/policy/cilium-port.ts";
import type { CiliumRequirement, CiliumSelector } from "../../model/policy/cilium-selector.ts";
import type { Addr } from "../../net/addr.ts";
import type { Prefix } from "../../net/prefix.ts";
import { type Flow, type LiteralCluster, labelsOfNamespace, podAt, protocolNumber } from "./flow.ts";
import { inBlock, nodeHas } from "./kubernetes.ts";
import type { CiliumSay } from "./tiers.ts";

/** What Cilium's policies speak about beside the cluster's own objects. */
export interface LiteralCilium {
  readonly policies: readonly CiliumPolicy[];
  readonly cidrGroups: readonly CiliumCidrGroup[];
  readonly services: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly labels: ReadonlyMap<string, string>;
  }[];
  backends(namespace: string, name: string): readonly { readonly addr: Addr }[];
}

/** A label with the place that it comes from. */
interface SourcedLabel {
  readonly source: string;
  readonly key: string;
  readonly value: string;
}

function podLabels(cluster: LiteralCluster, pod: Pod): SourcedLabel[] {
  const k8s = (key: string, value: string): SourcedLabel => ({ source: "k8s", key, value });
  const own = [...pod.labels].map(([k, v]) => k8s(k, v));
  const inherited = [...labelsOfNamespace(cluster, pod.namespace)].map(([k, v]) =>
    k8s(`io.cilium.k8s.namespace.labels.${k}`, v),
  );
  return [
    ...own.filter((l) => !l.key.startsWith("io.cilium.k8s.") && l.key !== "io.kubernetes.pod.namespace"),
    ...inherited,
    k8s("io.kubernetes.pod.namespace", pod.namespace),
    k8s("io.cilium.k8s.policy.serviceaccount", pod.serviceAccount),
    k8s("io.cilium.k8s.policy.cluster", "default"),
  ];
}

/** Whose policies are asked: a pod, or a node itself. */
type Self = Pick<Pod, "nodeName">;

/** Where an address is, as seen from the pod whose policies are asked. */
function placeOf(cluster: LiteralCluster, self: Self, a: Addr): "pod" | "host" | "remote-node" | "world" {
  if (podAt(cluster, a) !== undefined) return "pod";
  const nodes = cluster.nodes.filter((n) => nodeHas(n, a));
  if (nodes.some((n) => n.name === self.nodeName)) return "host";
  return nodes.length > 0 ? "remote-node" : "world";
}

function holds(r: CiliumRequirement, labels: readonly SourcedLabel[]): boolean {
  // "any:" and keys without a source look at all sources.
  const hits = labels.filter((l) => (r.source === "any" || l.source === r.source) && l.key === r.key);
  if (r.operator === "Exists") return hits.length > 0;
  if (r.operator === "DoesNotExist") return hits.length === 0;
  const isIn = hits.some((l) => r.values.includes(l.value));
  return r.operator === "In" ? isIn : !isIn;
}

function endpointMatches(
  cluster: LiteralCluster,
  selector: CiliumSelector,
  namespace: string,
  self: Self,
  a: Addr,
): boolean {
  const pod = podAt(cluster, a);
  const labels =
    pod === undefined ? [{ source: "reserved", key: placeOf(cluster, self, a), value: "" }] : podLabels(cluster, pod);
  if (!selector.every((r) => holds(r, labels))) return false;
  // Selectors of reserved things are taken as they are.
  if (selector.some((r) => r.source === "reserved")) return true;
  const namesNamespace = selector.some(
    (r) =>
      (r.source === "k8s" || r.source === "any") &&
      (r.key === "io.kubernetes.pod.namespace" || r.key.startsWith("io.cilium.k8s.namespace.labels.")),
  );
  if (namesNamespace) return true;
  // Of a namespace: its own pods. Of the cluster: pods of any namespace, and nothing that is in none.
  return pod !== undefined && (namespace === "" || pod.namespace === namespace);
}

function entityMatches(entity: CiliumEntity, place: ReturnType<typeof placeOf>, a: Addr): boolean {
  switch (entity) {
    case "all":
      return true;
    case "world":
      return place === "world";
    case "world-ipv4":
      return place === "world" && a.family === 4;
    case "world-ipv6":
      return place === "world" && a.family === 6;
    case "cluster":
    case "cluster-mesh":
      return place !== "world";
    case "host":
      return place === "host";
    case "remote-node":
      return place === "remote-node";
    default:
      // Nothing here is any of the others.
      return false;
  }
}

const sourceless = (selector: CiliumSelector, labels: ReadonlyMap<string, string>) =>
  selector.every((r) =>
    holds(
      { ...r, source: "any" },
      [...labels].map(([key, value]) => ({ source: "k8s", key, value })),
    ),
  );

/** "CIDR rules do not apply to traffic where both sides are managed", nor to nodes. */
function outsideBlock(cidr: Prefix, except: readonly Prefix[], place: string, a: Addr): boolean {
  return place === "world" && inBlock(cidr, a) && !except.some((e) => inBlock(e, a));
}

function peerMatches(
  cluster: LiteralCluster,
  cilium: LiteralCilium,
  peer: CiliumPeer,
  namespace: string,
  self: Self,
  a: Addr,
): boolean {
  const place = placeOf(cluster, self, a);
  const behind = (s: { namespace: string; name: string }) =>
    cilium.backends(s.namespace, s.name).some((b) => b.addr.text === a.text);
  switch (peer.kind) {
    case "endpoints":
      return endpointMatches(cluster, peer.selector, namespace, self, a);
    case "entity":
      return entityMatches(peer.entity, place, a);
    case "cidr":
      return outsideBlock(peer.cidr, peer.except, place, a);
    case "group-ref":
      return cilium.cidrGroups.some(
        (g) => g.name === peer.name && g.cidrs.some((c) => outsideBlock(c, peer.except, place, a)),
      );
    case "group-selector":
      return cilium.cidrGroups.some(
        (g) => sourceless(peer.selector, g.labels) && g.cidrs.some((c) => outsideBlock(c, peer.except, place, a)),
      );
    case "nodes":
      return (
        (place === "host" || place === "remote-node") &&
        cluster.nodes.some((n) => nodeHas(n, a) && sourceless(peer.selector, n.labels))
      );
    case "service":
      return behind(peer);
    case "service-selector":
      return cilium.services.some(
        (s) =>
          (peer.namespace === "" || peer.namespace === s.namespace) && sourceless(peer.selector, s.labels) && behind(s),
      );
    case "later":
      return false;
  }
}

function portsMatch(cluster: LiteralCluster, rule: CiliumPortRule, flow: Flow): boolean {
  return rule.ports.some(({ protocol, port }) => {
    const isProtocol = protocol === undefined ? [6, 17, 132].includes(flow.protocol) : protocol === flow.protocol;
    if (!isProtocol || port === undefined) return isProtocol;
    if (!("name" in port)) return port.first <= flow.port && flow.port <= port.last;
    const destination = podAt(cluster, flow.to);
    return (destination?.ports ?? []).some(
      (p) => p.name === port.name && protocolNumber(p.protocol) === flow.protocol && p.port === flow.port,
    );
  });
}

function trafficMatches(cluster: LiteralCluster, rule: CiliumRule, flow: Flow, isDeny: boolean): boolean {
  if (rule.icmps !== undefined)
    return rule.icmps.some(
      (i) =>
        i.family === flow.from.family &&
        flow.protocol === (i.family === 4 ? 1 : 58) &&
        Math.floor(flow.port / 256) === i.type,
    );
  if (rule.toPorts === undefined) return true;
  // What is asked for beyond layer 4 is not looked at: it opens nothing.
  return rule.toPorts.some((p) => (isDeny || p.beyond.length === 0) && portsMatch(cluster, p, flow));
}

function ruleMatches(
  cluster: LiteralCluster,
  cilium: LiteralCilium,
  rule: CiliumRule,
  namespace: string,
  self: Self,
  flow: Flow,
  direction: "ingress" | "egress",
  isDeny: boolean,
): boolean {
  if (!isDeny && rule.authentication !== undefined) return false;
  const peer = direction === "ingress" ? flow.from : flow.to;
  // "{}" matches nothing; ports alone are a wildcard of peers.
  if (rule.peers === undefined && rule.toPorts === undefined && rule.icmps === undefined) return false;
  if (!trafficMatches(cluster, rule, flow, isDeny)) return false;
  if (isDeny && rule.peers?.some((p) => p.kind === "later")) return true;
  return rule.peers === undefined || rule.peers.some((p) => peerMatches(cluster, cilium, p, namespace, self, peer));
}

function selectsPod(cluster: LiteralCluster, policy: CiliumPolicy, spec: CiliumSpec, pod: Pod): boolean {
  if (spec.of === "nodes") return false;
  if (policy.namespace !== "" && pod.namespace !== policy.namespace) return false;
  return spec.selector.every((r) => holds(r, podLabels(cluster, pod)));
}

/** What all of Cilium's policies together say about one end of a flow. */
export function ciliumSays(
  cluster: LiteralCluster,
  cilium: LiteralCilium,
  flow: Flow,
  pod: Pod,
  direction: "ingress" | "egress",
): CiliumSay {
  const said = sayOf(cluster, cilium, flow, pod, direction, (policy, s) => selectsPod(cluster, policy, s, pod));
  const isOwnNode = direction === "ingress" && said.isolates && placeOf(cluster, pod, flow.from) === "host";
  return isOwnNode && said.says !== "deny" ? { ...said, says: "allow" } : said;
}

/** What host policies say about a node's end of a flow. */
export function ciliumSaysOfNode(
  cluster: LiteralCluster,
  cilium: LiteralCilium,
  flow: Flow,
  node: Node,
  direction: "ingress" | "egress",
): CiliumSay & { readonly isSelected: boolean } {
  // "nodeSelector … selects the nodes", by their labels.
  const selects = (_: CiliumPolicy, s: CiliumSpec) => s.of === "nodes" && sourceless(s.selector, node.labels);
  const isSelected = cilium.policies.some((p) => p.specs.some((s) => selects(p, s)));
  return { ...sayOf(cluster, cilium, flow, { nodeName: node.name }, direction, selects), isSelected };
}

function sayOf(
  cluster: LiteralCluster,
  cilium: LiteralCilium,
  flow: Flow,
  self: Self,
  direction: "ingress" | "egress",
  selects: (policy: CiliumPolicy, spec: CiliumSpec) => boolean,
): CiliumSay {
  const inForce = cilium.policies.filter((p) => !p.isAudited);
  const specs = inForce.flatMap((policy) =>
    policy.specs.filter((s) => selects(policy, s)).map((spec) => ({ policy, spec })),
  );
  const any = (key: "ingress" | "ingressDeny" | "egress" | "egressDeny") =>
    specs.some(({ policy, spec }) =>
      spec[key].some((r) =>
        ruleMatches(cluster, cilium, r, policy.namespace, self, flow, direction, key.endsWith("Deny")),
      ),
    );
  const isolates = specs.some(({ spec }) => spec.defaultDeny[direction]);
  // "Deny policies … take precedence over allow policies."
  if (any(`${direction}Deny`)) return { isolates, says: "deny" };
  return { isolates, says: any(direction) ? "allow" : undefined };
}
