/**
 * What stands between Admin and Baseline, put together: Calico's tiers by order, and in the tier `default` at order 1000
 * the policies of Kubernetes and Cilium: Cilium's denies, Calico's of that order, then whoever allows.
 */

import type { Pod } from "../../model/pod.ts";
import type { CalicoTier } from "../../model/policy/calico-objects.ts";
import type { CalicoPolicy } from "../../model/policy/calico-policy.ts";
import { calicoSays, calicoSelects, type LiteralCalico } from "./calico.ts";
import type { OtherDialects, Say } from "./decide.ts";
import type { Flow, LiteralCluster } from "./flow.ts";
import { isOwnNode } from "./kubernetes.ts";

/** What Cilium's policies say about one end. */
export type CiliumSay = { readonly isolates: boolean; readonly says: "allow" | "deny" | undefined };

/** Calico's tiers and policies, and what they speak about. */
export interface Tiers {
  readonly cluster: LiteralCluster;
  readonly tiers: readonly CalicoTier[];
  readonly policies: readonly CalicoPolicy[];
  readonly calico: LiteralCalico;
}

/** The dialects beside those of Kubernetes. */
export interface Dialects extends Tiers {
  cilium(flow: Flow, pod: Pod, direction: "ingress" | "egress"): CiliumSay;
}

/** "Tiers … are ordered … lowest first; a tier without an order comes last; ties by name." */
function tiersInOrder(d: Tiers): CalicoTier[] {
  const tiers = new Map(d.tiers.map((t) => [t.name, t]));
  for (const name of ["default", ...d.policies.map((p) => p.tier)])
    if (!tiers.has(name)) tiers.set(name, { name, order: 1_000_000, defaultAction: "Deny" });
  return [...tiers.values()].sort((a, b) => {
    const [x, y] = [a.order ?? Number.MAX_VALUE, b.order ?? Number.MAX_VALUE];
    return x !== y ? (x < y ? -1 : 1) : a.name < b.name ? -1 : 1;
  });
}

function byOrder(a: CalicoPolicy, b: CalicoPolicy): number {
  const [x, y] = [a.order ?? Number.POSITIVE_INFINITY, b.order ?? Number.POSITIVE_INFINITY];
  if (x !== y) return x < y ? -1 : 1;
  // "Policies with identical order will be applied in alphanumerical order based on the Policy 'Name'".
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.kind < b.kind ? -1 : 1;
}

/** The first policy of the list that decides or passes. */
function first(d: Tiers, list: readonly CalicoPolicy[], flow: Flow, direction: "ingress" | "egress", end: TieredEnd) {
  // "We don't … police host -> endpoint according to the endpoint's ingress policy" (Felix, static rules of OUTPUT).
  if (list.length > 0 && end.isFromOwnNode) return "allow";
  for (const policy of list) {
    const says = calicoSays(d.cluster, d.calico, policy, flow, direction);
    if (says !== undefined) return says;
  }
  return undefined;
}

/** One end of a flow, and what is said of it beside Calico's policies. */
export interface TieredEnd {
  /** Whether the policy is about it in the flow's direction. */
  selects(policy: CalicoPolicy): boolean;
  /** It is a pod, and its node begins the flow. */
  readonly isFromOwnNode?: boolean;
  cilium(): CiliumSay;
  readonly kubernetes: "not-isolated" | "allow" | "deny";
}

/** What the tiers say about one end of a flow. */
export function judgeTiers(d: Tiers, flow: Flow, direction: "ingress" | "egress", end: TieredEnd): Say {
  for (const tier of tiersInOrder(d)) {
    const isDefault = tier.name === "default";
    const selecting = d.policies
      .filter((p) => p.tier === tier.name && p.stagedAction === undefined && !p.isAudited)
      .filter((p) => end.selects(p))
      .sort(byOrder);
    const cilium = isDefault ? end.cilium() : { isolates: false, says: undefined };
    const isKubernetes = isDefault && end.kubernetes !== "not-isolated";
    const before = selecting.filter((p) => p.order !== undefined && p.order < 1000);
    const there = selecting.filter((p) => p.order === 1000);
    const behind = selecting.filter((p) => p.order === undefined || p.order > 1000);
    const says =
      first(d, before, flow, direction, end) ??
      (cilium.says === "deny" ? "deny" : undefined) ??
      first(d, there, flow, direction, end) ??
      (cilium.says === "allow" ? "allow" : undefined) ??
      (isKubernetes && end.kubernetes === "allow" ? "allow" : undefined) ??
      first(d, behind, flow, direction, end);
    if (says === "allow" || says === "deny") return says;
    if (says === "pass") continue;
    // "If the tier applied to the endpoint but took no action, its default action."
    const isIsolated = selecting.length > 0 || cilium.isolates || isKubernetes;
    if (isIsolated && tier.defaultAction === "Deny") return "deny";
  }
  return "next";
}

/** All of them as the deciding evaluator asks for them. */
export function dialects(d: Dialects): OtherDialects {
  return {
    judge: (flow, pod, direction, kubernetes) =>
      judgeTiers(d, flow, direction, {
        selects: (p) => calicoSelects(d.cluster, d.calico, p, pod, direction),
        isFromOwnNode: direction === "ingress" && isOwnNode(d.cluster, pod, flow.from),
        cilium: () => d.cilium(flow, pod, direction),
        kubernetes,
      }),
  };
}
