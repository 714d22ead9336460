/** The resource types that the server knows without any CustomResourceDefinition, as a table. */

import type { JsonSchema } from "./schema.ts";

/** Paths below an object. */
export type Subresource =
  | "status"
  | "scale"
  | "log"
  | "exec"
  | "attach"
  | "binding"
  | "eviction"
  | "token"
  | "finalize"
  | "approval";

/** A column of a custom resource's table. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

/** One served kind in one version. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  readonly subresources: ReadonlySet<Subresource>;
  /** Where all versions of the kind are stored: `group/plural`. */
  readonly storage: string;
  /** undefined: a built-in kind. */
  readonly custom:
    | {
        readonly schema: JsonSchema | undefined;
        readonly columns: readonly PrinterColumn[];
        readonly scale:
          | { readonly specReplicas: string; readonly statusReplicas: string; readonly selector: string | undefined }
          | undefined;
      }
    | undefined;
}

/** `v1` or `group/version`. */
export function apiVersionOf(r: Pick<ResourceType, "group" | "version">): string {
  return r.group === "" ? r.version : `${r.group}/${r.version}`;
}

interface Extra {
  readonly short?: readonly string[];
  readonly all?: boolean;
  readonly cluster?: boolean;
  readonly sub?: readonly Subresource[];
}

function builtin(apiVersion: string, kind: string, plural: string, extra: Extra = {}): ResourceType {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  return {
    group,
    version: apiVersion.slice(slash + 1),
    kind,
    plural,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    shortNames: extra.short ?? [],
    categories: extra.all ? ["all"] : [],
    isNamespaced: extra.cluster !== true,
    subresources: new Set(extra.sub ?? []),
    storage: `${group}/${plural}`,
    custom: undefined,
  };
}

const WORKLOAD: Extra = { all: true, sub: ["status", "scale"] };
const RBAC = "rbac.authorization.k8s.io/v1";

/** Every built-in kind. */
export const BUILTIN_RESOURCES: readonly ResourceType[] = [
  builtin("v1", "Namespace", "namespaces", { short: ["ns"], cluster: true, sub: ["status", "finalize"] }),
  builtin("v1", "Node", "nodes", { short: ["no"], cluster: true, sub: ["status"] }),
  builtin("v1", "Pod", "pods", {
    short: ["po"],
    all: true,
    sub: ["status", "log", "exec", "attach", "binding", "eviction"],
  }),
  builtin("v1", "Service", "services", { short: ["svc"], all: true, sub: ["status"] }),
  builtin("v1", "ServiceAccount", "serviceaccounts", { short: ["sa"], sub: ["token"] }),
  builtin("v1", "ConfigMap", "configmaps", { short: ["cm"] }),
  builtin("v1", "Secret", "secrets"),
  builtin("v1", "Event", "events", { short: ["ev"] }),
  builtin("v1", "Endpoints", "endpoints", { short: ["ep"] }),
  builtin("v1", "PersistentVolumeClaim", "persistentvolumeclaims", { short: ["pvc"], sub: ["status"] }),
  builtin("v1", "PersistentVolume", "persistentvolumes", { short: ["pv"], cluster: true, sub: ["status"] }),
  builtin("v1", "LimitRange", "limitranges", { short: ["limits"] }),
  builtin("v1", "ResourceQuota", "resourcequotas", { short: ["quota"], sub: ["status"] }),
  builtin("v1", "ReplicationController", "replicationcontrollers", { ...WORKLOAD, short: ["rc"] }),
  builtin("apps/v1", "DaemonSet", "daemonsets", { all: true, sub: ["status"], short: ["ds"] }),
  builtin("apps/v1", "Deployment", "deployments", { ...WORKLOAD, short: ["deploy"] }),
  builtin("apps/v1", "ReplicaSet", "replicasets", { ...WORKLOAD, short: ["rs"] }),
  builtin("apps/v1", "StatefulSet", "statefulsets", { ...WORKLOAD, short: ["sts"] }),
  builtin("batch/v1", "Job", "jobs", { all: true, sub: ["status"] }),
  builtin("batch/v1", "CronJob", "cronjobs", { all: true, sub: ["status"], short: ["cj"] }),
  builtin("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
  builtin("coordination.k8s.io/v1", "Lease", "leases"),
  builtin("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", { short: ["netpol"] }),
  builtin("networking.k8s.io/v1", "Ingress", "ingresses", { short: ["ing"], sub: ["status"] }),
  builtin("networking.k8s.io/v1", "IngressClass", "ingressclasses", { cluster: true }),
  builtin(RBAC, "Role", "roles"),
  builtin(RBAC, "RoleBinding", "rolebindings"),
  builtin(RBAC, "ClusterRole", "clusterroles", { cluster: true }),
  builtin(RBAC, "ClusterRoleBinding", "clusterrolebindings", { cluster: true }),
  builtin("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", { short: ["pdb"], sub: ["status"] }),
  builtin("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", { short: ["pc"], cluster: true }),
  builtin("storage.k8s.io/v1", "StorageClass", "storageclasses", { short: ["sc"], cluster: true }),
  builtin("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", {
    short: ["crd", "crds"],
    cluster: true,
    sub: ["status"],
  }),
];
