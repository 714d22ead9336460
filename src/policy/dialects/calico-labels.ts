/** The labels by which Calico's selectors see pods, host endpoints and network sets. */

import type { Pod } from "../../model/pod.ts";
import type { CalicoHostEndpoint, CalicoNetworkSet } from "../../model/policy/calico-objects.ts";
import type { CalicoPolicy } from "../../model/policy/calico-policy.ts";
import type { CalicoSelector } from "../../model/policy/calico-selector.ts";
import { CALICO_NAMESPACE, SERVICE_ACCOUNT } from "../calico-selector.ts";
import type { LabelViews } from "../facts.ts";
import type { LabelMap } from "../label-expr.ts";

/** Names a host endpoint among the labels of its node; no selector can spell it. */
export const HOST_ENDPOINT = "host endpoint";

function inherited(labels: LabelMap, prefix: string): [string, string][] {
  return [...labels].map(([k, v]) => [`${prefix}${k}`, v]);
}

function ofNamespace(name: string, labels: LabelMap): [string, string][] {
  return [...inherited(labels, "pcns."), ["pcns.projectcalico.org/name", name], [CALICO_NAMESPACE, name]];
}

/** A pod's own labels, those of its namespace and service account, and the synthetic ones, which win. */
function calicoPodLabels(pod: Pod, namespace: LabelMap, serviceAccount: LabelMap): LabelMap {
  return new Map([
    // A pod's own labels cannot pass for those of its namespace or service account.
    ...[...pod.labels].filter(([k]) => !k.startsWith("pcns.") && !k.startsWith("pcsa.")),
    ...ofNamespace(pod.namespace, namespace),
    ...inherited(serviceAccount, "pcsa."),
    ["pcsa.projectcalico.org/name", pod.serviceAccount],
    [SERVICE_ACCOUNT, pod.serviceAccount],
    ["projectcalico.org/orchestrator", "k8s"],
  ]);
}

function asksIn(selector: CalicoSelector | undefined): boolean {
  if (selector === undefined) return false;
  switch (selector.op) {
    case "all":
    case "global":
      return false;
    case "!":
      return asksIn(selector.of);
    case "&&":
    case "||":
      return selector.of.some(asksIn);
    default:
      return selector.key.startsWith("pcsa.") && selector.key !== "pcsa.projectcalico.org/name";
  }
}

/** Whether a policy asks for labels of service accounts, beside their names. */
export function asksAccounts(policy: CalicoPolicy): boolean {
  const ends = [...policy.ingress, ...policy.egress].flatMap((r) => [r.source, r.destination]);
  return (
    policy.serviceAccountSelector !== undefined ||
    asksIn(policy.selector) ||
    ends.some((e) => e.serviceAccounts?.selector !== undefined || asksIn(e.selector) || asksIn(e.notSelector))
  );
}

/** A set's labels; in a namespace, with that one's. */
export function calicoNetworkSetLabels(set: CalicoNetworkSet, namespaceLabels: (name: string) => LabelMap): LabelMap {
  if (set.namespace === "") return set.labels;
  return new Map([...set.labels, ...ofNamespace(set.namespace, namespaceLabels(set.namespace))]);
}

/** Labels of a host endpoint. */
export function calicoHostEndpointLabels(endpoint: CalicoHostEndpoint): LabelMap {
  return new Map([...endpoint.labels, [HOST_ENDPOINT, endpoint.name]]);
}

/** The views of the domain `calico` for pods and for nodes that have host endpoints. */
export function calicoViews(
  hostEndpoints: readonly CalicoHostEndpoint[],
  serviceAccountLabels: (namespace: string, name: string) => LabelMap,
): LabelViews {
  return {
    pod: (pod, namespace) =>
      new Map([["calico", [calicoPodLabels(pod, namespace, serviceAccountLabels(pod.namespace, pod.serviceAccount))]]]),
    node: (node) =>
      new Map([["calico", hostEndpoints.filter((e) => e.node === node.name).map(calicoHostEndpointLabels)]]),
  };
}
