/**
 * Kubernetes NetworkPolicy as its API reference words it, sentence by sentence, and slow. It shares no code with what
 * translates and compiles policies: a test holds one against the other.
 */

import type { Pod } from "../../model/pod.ts";
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "../../model/policy/network-policy.ts";
import { type Addr, addrToBigint } from "../../net/addr.ts";
import type { Prefix } from "../../net/prefix.ts";
import { type Flow, type LiteralCluster, labelsOfNamespace, podAt, protocolNumber, selects } from "./flow.ts";

/** Whether an address lies in a block, by comparing numbers. */
export function inBlock(block: Prefix, a: Addr): boolean {
  if (block.family !== a.family) return false;
  const first = addrToBigint(block.addr);
  const size = 1n << BigInt((a.family === 4 ? 32 : 128) - block.length);
  const n = addrToBigint(a);
  return first <= n && n < first + size;
}

function peerMatches(cluster: LiteralCluster, peer: NetworkPolicyPeer, policy: NetworkPolicy, a: Addr): boolean {
  // "except is a slice of CIDRs that should not be included within an ipBlock"
  if (peer.kind === "block") return inBlock(peer.cidr, a) && !peer.except.some((e) => inBlock(e, a));
  const pod = podAt(cluster, a);
  if (pod === undefined) return false;
  // "podSelector … selects the pods … in the policy's own namespace" unless namespaceSelector is there as well.
  if (peer.namespaceSelector === undefined) {
    if (pod.namespace !== policy.namespace) return false;
  } else if (!selects(peer.namespaceSelector, labelsOfNamespace(cluster, pod.namespace))) return false;
  return peer.podSelector === undefined || selects(peer.podSelector, pod.labels);
}

function portMatches(port: NetworkPolicyPort, flow: Flow, destination: Pod | undefined): boolean {
  // "protocol … defaults to TCP", and only that protocol.
  if (flow.protocol !== protocolNumber(port.protocol)) return false;
  // "If this field is not provided, this matches all port names and numbers."
  if (port.port === undefined) return true;
  // "either a numerical or named port on a pod": the pod that the traffic goes to.
  if (typeof port.port === "string")
    return (destination?.ports ?? []).some(
      (p) => p.name === port.port && p.protocol === port.protocol && p.port === flow.port,
    );
  if (port.endPort !== undefined) return port.port <= flow.port && flow.port <= port.endPort;
  return flow.port === port.port;
}

/** What the NetworkPolicies say about one end of a flow. `not-isolated`: none selects the pod in that direction. */
export function judgeNetworkPolicies(
  cluster: LiteralCluster,
  flow: Flow,
  pod: Pod,
  direction: "ingress" | "egress",
): "not-isolated" | "allow" | "deny" {
  const selecting = cluster.networkPolicies.filter(
    (p) =>
      // "audit": as if it were not there.
      !p.isAudited &&
      p.namespace === pod.namespace &&
      selects(p.podSelector, pod.labels) &&
      (direction === "ingress" ? p.isolatesIngress : p.isolatesEgress),
  );
  if (selecting.length === 0) return "not-isolated";
  const peer = direction === "ingress" ? flow.from : flow.to;
  // "OR if the traffic source is the pod's local node"
  if (direction === "ingress" && isOwnNode(cluster, pod, peer)) return "allow";
  const destination = podAt(cluster, flow.to);
  for (const policy of selecting)
    for (const rule of direction === "ingress" ? policy.ingress : policy.egress) {
      // "If this field is empty or missing, this rule matches all sources" and "all ports".
      const fromPeer = rule.peers.length === 0 || rule.peers.some((p) => peerMatches(cluster, p, policy, peer));
      const onPort = rule.ports.length === 0 || rule.ports.some((p) => portMatches(p, flow, destination));
      if (fromPeer && onPort) return "allow";
    }
  return "deny";
}

/** Addresses by which a pod meets a node: the node object's, and the first of each of its pod CIDRs. */
export function nodeHas(node: LiteralCluster["nodes"][number], a: Addr): boolean {
  if ([...node.internalIps, ...node.externalIps].some((ip) => ip.text === a.text)) return true;
  return node.podCidrs.some((c) => c.family === a.family && addrToBigint(c.addr) + 1n === addrToBigint(a));
}

/** Whether an address is of the node that the pod runs on. */
export function isOwnNode(cluster: LiteralCluster, pod: Pod, a: Addr): boolean {
  if (podAt(cluster, a) !== undefined) return false;
  return cluster.nodes.some((n) => n.name === pod.nodeName && nodeHas(n, a));
}
