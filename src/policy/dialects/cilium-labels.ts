/** The labels by which Cilium's selectors see pods and nodes, and its selectors as expressions over them. */

import type { Pod } from "../../model/pod.ts";
import type { CiliumRequirement, CiliumSelector } from "../../model/policy/cilium-selector.ts";
import type { LabelViews } from "../facts.ts";
import { allLabels, type LabelExpr, type LabelMap } from "../label-expr.ts";

/** Key of the label with a pod's namespace, without its source. */
export const CILIUM_NAMESPACE = "io.kubernetes.pod.namespace";
/** Before the keys of a namespace's own labels, without the source. */
const CILIUM_NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels.";

/** A pod's labels with their source, those of its namespace, its service account's name. */
export function ciliumPodLabels(pod: Pod, namespace: LabelMap): LabelMap {
  return new Map([
    // A pod's own labels cannot pass for what only the cluster says.
    ...[...pod.labels]
      .filter(([k]) => !k.startsWith("io.cilium.k8s.") && k !== CILIUM_NAMESPACE)
      .map(([k, v]): [string, string] => [`k8s:${k}`, v]),
    ...[...namespace].map(([k, v]): [string, string] => [`k8s:${CILIUM_NAMESPACE_LABELS}${k}`, v]),
    [`k8s:${CILIUM_NAMESPACE}`, pod.namespace],
    ["k8s:io.cilium.k8s.policy.serviceaccount", pod.serviceAccount],
    ["k8s:io.cilium.k8s.policy.cluster", "default"],
  ]);
}

/** The views of the domain `cilium`. */
export const CILIUM_VIEWS: LabelViews = {
  pod: (pod, namespace) => new Map([["cilium", [ciliumPodLabels(pod, namespace)]]]),
  node: (_node, isLocal) =>
    new Map([["cilium", [new Map([[isLocal ? "reserved:host" : "reserved:remote-node", ""]])]]]),
};

/** The sources that labels of anything have here; a key without one means each of them. */
const EVERY = ["k8s", "reserved"] as const;

function requirement(r: CiliumRequirement): LabelExpr {
  const keys = r.source === "any" ? EVERY.map((s) => `${s}:${r.key}`) : [`${r.source}:${r.key}`];
  const isSet = r.operator === "In" || r.operator === "NotIn";
  const each = keys.map((key): LabelExpr => (isSet ? { kind: "in", key, values: r.values } : { kind: "has", key }));
  const [only] = each;
  const some: LabelExpr = each.length === 1 && only !== undefined ? only : { kind: "or", of: each };
  return r.operator === "NotIn" || r.operator === "DoesNotExist" ? { kind: "not", of: some } : some;
}

/** What a selector of endpoints means. */
export function ciliumExpr(selector: CiliumSelector): LabelExpr {
  return allLabels(selector.map(requirement));
}

/** What a selector of objects means whose labels have no source: nodes, services, groups of CIDRs. */
export function plainExpr(selector: CiliumSelector): LabelExpr {
  return allLabels(
    selector.map((r): LabelExpr => {
      const isSet = r.operator === "In" || r.operator === "NotIn";
      const some: LabelExpr = isSet ? { kind: "in", key: r.key, values: r.values } : { kind: "has", key: r.key };
      return r.operator === "NotIn" || r.operator === "DoesNotExist" ? { kind: "not", of: some } : some;
    }),
  );
}

/**
 * A peer's selector, kept within the policy's namespace unless it says which one itself; a policy of the cluster means
 * pods of any namespace. One that names reserved labels is left as it is.
 */
export function scopedSelector(selector: CiliumSelector, namespace: string): CiliumSelector {
  const isPod = (r: CiliumRequirement) => r.source === "k8s" || r.source === "any";
  const says = selector.some(
    (r) => isPod(r) && (r.key === CILIUM_NAMESPACE || r.key.startsWith(CILIUM_NAMESPACE_LABELS)),
  );
  if (says || selector.some((r) => r.source === "reserved")) return selector;
  const here = { source: "k8s", key: CILIUM_NAMESPACE } as const;
  if (namespace === "") return [...selector, { ...here, operator: "Exists", values: [] }];
  return [...selector, { ...here, operator: "In", values: [namespace] }];
}
