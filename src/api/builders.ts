/** Objects of a cluster, built with types: what a manifest would say, with less writing. */

import type {
  CalicoNetworkPolicySpec,
  CiliumClusterwideNetworkPolicySpec,
  CiliumNetworkPolicySpec,
  ClusterNetworkPolicySpec,
  GlobalNetworkPolicySpec,
  LabelMap,
  NetworkPolicySpec,
} from "./specs.ts";

/** An object as the Kubernetes API has it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: LabelMap };
  readonly spec?: object;
  readonly status?: object;
}

/** `namespace/name`, or a name in namespace `default`. */
function named(key: string): { readonly namespace: string; readonly name: string } {
  const [first = "", second] = key.split("/");
  return second === undefined ? { namespace: "default", name: first } : { namespace: first, name: second };
}

/** A namespace; `kubernetes.io/metadata.name` is added, as the API server does. */
export function namespace(name: string, labels: LabelMap = {}): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { ...labels, "kubernetes.io/metadata.name": name } },
  };
}

/** What a pod is beyond its labels. */
export interface PodOptions {
  readonly labels?: LabelMap;
  /** Its addresses; without any it gets one. */
  readonly ips?: readonly string[];
  /** Named ports, as `{ http: 8080, dns: "53/UDP" }`. */
  readonly ports?: Readonly<Record<string, number | `${number}/${"TCP" | "UDP" | "SCTP"}`>>;
  readonly node?: string;
  readonly serviceAccount?: string;
}

/** A pod. @param key `namespace/name` */
export function pod(key: string, options: PodOptions = {}): KubernetesObject {
  const { labels = {}, ips = [], ports = {}, node: nodeName, serviceAccount: serviceAccountName } = options;
  const containerPorts = Object.entries(ports).map(([name, port]) => {
    const [number, protocol = "TCP"] = String(port).split("/");
    return { name, containerPort: Number(number), protocol };
  });
  const containers = [{ name: "main", ports: containerPorts }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...named(key), labels },
    spec: { containers, ...(nodeName && { nodeName }), ...(serviceAccountName && { serviceAccountName }) },
    status: { phase: "Running", podIPs: ips.map((ip) => ({ ip })) },
  };
}

/** A node. @param ips its own addresses @param podCidrs networks of its pods */
export function node(
  name: string,
  options: { ips?: readonly string[]; podCidrs?: readonly string[]; labels?: LabelMap } = {},
): KubernetesObject {
  const { ips = [], podCidrs = [], labels = {} } = options;
  const addresses = ips.map((address) => ({ type: "InternalIP", address }));
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    spec: { podCIDRs: podCidrs },
    status: { addresses },
  };
}

/** Kubernetes' NetworkPolicy. @param key `namespace/name` */
export function networkPolicy(key: string, spec: NetworkPolicySpec): KubernetesObject {
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: named(key), spec };
}

/** ClusterNetworkPolicy. */
export function clusterNetworkPolicy(name: string, spec: ClusterNetworkPolicySpec): KubernetesObject {
  return { apiVersion: "policy.networking.k8s.io/v1alpha2", kind: "ClusterNetworkPolicy", metadata: { name }, spec };
}

const CALICO = "projectcalico.org/v3";

/** Calico's NetworkPolicy. @param key `namespace/name` */
export function calicoNetworkPolicy(key: string, spec: CalicoNetworkPolicySpec): KubernetesObject {
  return { apiVersion: CALICO, kind: "NetworkPolicy", metadata: named(key), spec };
}

/** Calico's GlobalNetworkPolicy. */
export function globalNetworkPolicy(name: string, spec: GlobalNetworkPolicySpec): KubernetesObject {
  return { apiVersion: CALICO, kind: "GlobalNetworkPolicy", metadata: { name }, spec };
}

/** Calico's Tier. */
export function tier(
  name: string,
  spec: { readonly order?: number; readonly defaultAction?: "Deny" | "Pass" },
): KubernetesObject {
  return { apiVersion: CALICO, kind: "Tier", metadata: { name }, spec };
}

/** Calico's GlobalNetworkSet: networks with labels. */
export function globalNetworkSet(name: string, nets: readonly string[], labels: LabelMap = {}): KubernetesObject {
  return { apiVersion: CALICO, kind: "GlobalNetworkSet", metadata: { name, labels }, spec: { nets } };
}

/** CiliumNetworkPolicy. @param key `namespace/name` */
export function ciliumNetworkPolicy(key: string, spec: CiliumNetworkPolicySpec): KubernetesObject {
  return { apiVersion: "cilium.io/v2", kind: "CiliumNetworkPolicy", metadata: named(key), spec };
}

/** CiliumClusterwideNetworkPolicy. */
export function ciliumClusterwideNetworkPolicy(
  name: string,
  spec: CiliumClusterwideNetworkPolicySpec,
): KubernetesObject {
  return { apiVersion: "cilium.io/v2", kind: "CiliumClusterwideNetworkPolicy", metadata: { name }, spec };
}
