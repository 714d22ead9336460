/**
 * The second evaluator: what the specifications say about a flow, put together in the documented order of dialects
 * (Admin; Calico's tiers, in the tier `default` NetworkPolicy at order 1000; Baseline).
 */

import type { Pod } from "../../model/pod.ts";
import { judgeClusterTier } from "./cluster-network-policy.ts";
import { type Flow, type LiteralCluster, podAt } from "./flow.ts";
import { judgeNetworkPolicies } from "./kubernetes.ts";

/** What is said about a flow at one end. */
export type Say = "allow" | "deny" | "next";

/** Other dialects' say between Admin and Baseline. Each is asked for one pod and direction. */
export interface OtherDialects {
  /**
   * @param kubernetes what NetworkPolicies say, for whoever has to put them in their place
   */
  judge(flow: Flow, pod: Pod, direction: "ingress" | "egress", kubernetes: "not-isolated" | "allow" | "deny"): Say;
}

const ONLY_KUBERNETES: OtherDialects = {
  // "v1.NetworkPolicy always makes a final decision for selected pods."
  judge: (_flow, _pod, _direction, kubernetes) => (kubernetes === "not-isolated" ? "next" : kubernetes),
};

function allowsAtEnd(
  cluster: LiteralCluster,
  flow: Flow,
  pod: Pod | undefined,
  direction: "ingress" | "egress",
  others: OtherDialects,
): boolean {
  // Policies of these dialects are about pods with a network of their own, and nothing else.
  if (pod === undefined) return true;
  const admin = judgeClusterTier(cluster, "Admin", flow, pod, direction);
  if (admin !== "next") return admin === "allow";
  const kubernetes = judgeNetworkPolicies(cluster, flow, pod, direction);
  const middle = others.judge(flow, pod, direction, kubernetes);
  if (middle !== "next") return middle === "allow";
  return judgeClusterTier(cluster, "Baseline", flow, pod, direction) !== "deny";
}

/** Whether each end lets the flow's first packet through. */
export interface Decision {
  readonly egress: boolean;
  readonly ingress: boolean;
}

/** Judges both ends. An end that is no pod allows. */
export function decide(cluster: LiteralCluster, flow: Flow, others: OtherDialects = ONLY_KUBERNETES): Decision {
  return {
    egress: allowsAtEnd(cluster, flow, podAt(cluster, flow.from), "egress", others),
    ingress: allowsAtEnd(cluster, flow, podAt(cluster, flow.to), "ingress", others),
  };
}
