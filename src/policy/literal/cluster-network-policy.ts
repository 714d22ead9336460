/** ClusterNetworkPolicy and its predecessors as their API reference words them; see `literal/kubernetes.ts`. */

import type { Pod } from "../../model/pod.ts";
import type { ClusterNetworkPolicy, ClusterRule, ClusterTraffic } from "../../model/policy/cluster-network-policy.ts";
import type { ClusterPeer } from "../../model/policy/cluster-peer.ts";
import type { Addr } from "../../net/addr.ts";
import { type Flow, type LiteralCluster, labelsOfNamespace, podAt, protocolNumber, selects } from "./flow.ts";
import { inBlock, nodeHas } from "./kubernetes.ts";

function peerMatches(cluster: LiteralCluster, peer: ClusterPeer, a: Addr): boolean {
  const pod = podAt(cluster, a);
  switch (peer.kind) {
    case "pods":
      // "host-networked pods are not included in this type of peer"
      if (pod === undefined) return false;
      if (!selects(peer.namespaceSelector, labelsOfNamespace(cluster, pod.namespace))) return false;
      return peer.podSelector === undefined || selects(peer.podSelector, pod.labels);
    case "nodes":
      if (pod !== undefined) return false;
      return cluster.nodes.some((n) => nodeHas(n, a) && selects(peer.selector, n.labels));
    case "networks":
      // "cluster-internal traffic will be checked against the rule as well"
      return peer.networks.some((n) => inBlock(n, a));
    case "domains":
      // Not enforced: an Accept that names domains matches none of them.
      return false;
    case "unknown":
      return false;
  }
}

function trafficMatches(traffic: ClusterTraffic, flow: Flow, destination: Pod | undefined): boolean {
  if (traffic.kind === "named")
    return (destination?.ports ?? []).some(
      (p) => p.name === traffic.name && protocolNumber(p.protocol) === flow.protocol && p.port === flow.port,
    );
  if (flow.protocol !== protocolNumber(traffic.protocol)) return false;
  return traffic.kind === "protocol" || (traffic.first <= flow.port && flow.port <= traffic.last);
}

function ruleSays(
  cluster: LiteralCluster,
  rule: ClusterRule,
  flow: Flow,
  peer: Addr,
): "accept" | "deny" | "pass" | undefined {
  // "For Accept rules, fail closed means: treat the rule as matching no traffic. For Deny and Pass rules … 'Deny all'."
  if (rule.peers.some((p) => p.kind === "unknown")) return rule.action === "accept" ? undefined : "deny";
  if (!rule.peers.some((p) => peerMatches(cluster, p, peer))) return undefined;
  if (rule.traffic.length > 0 && !rule.traffic.some((t) => trafficMatches(t, flow, podAt(cluster, flow.to))))
    return undefined;
  return rule.action;
}

function isSubject(cluster: LiteralCluster, policy: ClusterNetworkPolicy, pod: Pod): boolean {
  const { namespaceSelector, podSelector } = policy.subject;
  if (!selects(namespaceSelector, labelsOfNamespace(cluster, pod.namespace))) return false;
  return podSelector === undefined || selects(podSelector, pod.labels);
}

/** Ties of priority are undefined by the API; here ClusterNetworkPolicy, then AdminNetworkPolicy, by name. */
function before(a: ClusterNetworkPolicy, b: ClusterNetworkPolicy): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  const isLast = (p: ClusterNetworkPolicy) => p.kind === "BaselineAdminNetworkPolicy";
  if (isLast(a) !== isLast(b)) return isLast(a) ? 1 : -1;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.kind < b.kind ? -1 : 1;
}

/** What a tier says about one end of a flow. `next`: no rule matched, or one that passes. */
export function judgeClusterTier(
  cluster: LiteralCluster,
  tier: "Admin" | "Baseline",
  flow: Flow,
  pod: Pod,
  direction: "ingress" | "egress",
): "allow" | "deny" | "next" {
  const peer = direction === "ingress" ? flow.from : flow.to;
  for (const policy of cluster.clusterPolicies.filter((p) => p.tier === tier).sort(before)) {
    if (policy.isAudited || !isSubject(cluster, policy, pod)) continue;
    for (const rule of direction === "ingress" ? policy.ingress : policy.egress) {
      const says = ruleSays(cluster, rule, flow, peer);
      if (says === "accept") return "allow";
      if (says === "deny") return "deny";
      if (says === "pass") return "next";
    }
  }
  return "next";
}
