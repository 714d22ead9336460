/** A flow between two addresses, as specifications speak of it, and the cluster it happens in. */

import type { Namespace } from "../../model/namespace.ts";
import type { Node } from "../../model/node.ts";
import type { Pod } from "../../model/pod.ts";
import type { ClusterNetworkPolicy } from "../../model/policy/cluster-network-policy.ts";
import type { LabelSelector } from "../../model/policy/label-selector.ts";
import type { NetworkPolicy } from "../../model/policy/network-policy.ts";
import type { Addr } from "../../net/addr.ts";

/** The first packet of a flow, at one of its ends: after any translation of its destination. */
export interface Flow {
  readonly from: Addr;
  readonly to: Addr;
  /** IANA number. */
  readonly protocol: number;
  /** Destination port; type·256 + code of ICMP; 0 of other protocols. */
  readonly port: number;
}

/** All objects that have a say. */
export interface LiteralCluster {
  readonly nodes: readonly Node[];
  readonly namespaces: readonly Namespace[];
  readonly pods: readonly Pod[];
  readonly networkPolicies: readonly NetworkPolicy[];
  readonly clusterPolicies: readonly ClusterNetworkPolicy[];
}

/** The pod that has the address to itself now; completed pods have given theirs back, host pods never had one. */
export function podAt(cluster: LiteralCluster, a: Addr): Pod | undefined {
  return cluster.pods.find(
    (p) =>
      !p.isHostNetwork && p.phase !== "Succeeded" && p.phase !== "Failed" && p.podIps.some((ip) => ip.text === a.text),
  );
}

/** The labels of a pod's namespace. */
export function labelsOfNamespace(cluster: LiteralCluster, name: string): ReadonlyMap<string, string> {
  const known = cluster.namespaces.find((n) => n.name === name);
  return known?.labels ?? new Map([["kubernetes.io/metadata.name", name]]);
}

/** Kubernetes' label selector: every line of it holds. */
export function selects(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of selector.matchLabels) if (labels.get(key) !== value) return false;
  for (const { key, operator, values } of selector.matchExpressions) {
    const value = labels.get(key);
    if (operator === "Exists" && value === undefined) return false;
    if (operator === "DoesNotExist" && value !== undefined) return false;
    if (operator === "In" && (value === undefined || !values.includes(value))) return false;
    if (operator === "NotIn" && value !== undefined && values.includes(value)) return false;
  }
  return true;
}

/** IANA number of the protocol that the API calls so. */
export function protocolNumber(name: "TCP" | "UDP" | "SCTP"): number {
  if (name === "TCP") return 6;
  return name === "UDP" ? 17 : 132;
}
