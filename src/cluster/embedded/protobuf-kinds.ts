/** The kinds whose bodies are read as protobuf: all that are served, reviews, and what subresources take. */

/** Kinds of one API version, whose messages are of one group. */
interface Group {
  readonly apiVersion: string;
  /** Of the messages: what their names begin with. */
  readonly group: string;
  readonly kinds: readonly string[];
}

function of(apiVersion: string, group: string, kinds: string): Group {
  return { apiVersion, group, kinds: kinds.split(" ") };
}

/** By group. */
export const PROTOBUF_KINDS: readonly Group[] = [
  of(
    "v1",
    "core",
    "Namespace Node Pod Service ServiceAccount ConfigMap Secret Event Endpoints PersistentVolumeClaim PersistentVolume LimitRange ResourceQuota ReplicationController Binding",
  ),
  of("apps/v1", "apps", "DaemonSet Deployment ReplicaSet StatefulSet"),
  of("batch/v1", "batch", "Job CronJob"),
  of("discovery.k8s.io/v1", "discovery", "EndpointSlice"),
  of("coordination.k8s.io/v1", "coordination", "Lease"),
  of("networking.k8s.io/v1", "networking", "NetworkPolicy Ingress IngressClass"),
  of("rbac.authorization.k8s.io/v1", "rbac", "Role RoleBinding ClusterRole ClusterRoleBinding"),
  of("policy/v1", "policy", "PodDisruptionBudget Eviction"),
  of("scheduling.k8s.io/v1", "scheduling", "PriorityClass"),
  of("storage.k8s.io/v1", "storage", "StorageClass"),
  of("autoscaling/v1", "autoscaling", "Scale"),
  of("apiextensions.k8s.io/v1", "apiextensions", "CustomResourceDefinition"),
  of("authentication.k8s.io/v1", "authentication", "TokenRequest TokenReview SelfSubjectReview"),
  of(
    "authorization.k8s.io/v1",
    "authorization",
    "SelfSubjectAccessReview SubjectAccessReview LocalSubjectAccessReview SelfSubjectRulesReview",
  ),
];
