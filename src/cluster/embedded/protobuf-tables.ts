/**
 * Field numbers of the Kubernetes messages that kubectl's commands send (k8s.io/api `generated.proto`).
 *
 * A field is `NUMBER name type`. Types: `string int bool bytes Time MicroTime IntOrString Quantity`, a message of this
 * table, `-` for what a client cannot set; `[]T` a list, `{}T` a map with string keys; `!` behind it: a zero value counts.
 * A message named `.` has its fields among those around it, as Go's `inline`.
 */

/** One field. */
export interface FieldType {
  readonly name: string;
  readonly type: string;
  readonly shape: "one" | "list" | "map";
  /** A pointer in Go: an explicit zero is kept. */
  readonly isKept: boolean;
}

const TABLES: Readonly<Record<string, string>> = {
  ObjectMeta:
    "1 name string, 2 generateName string, 3 namespace string, 4 selfLink -, 5 uid string, 6 resourceVersion string, 7 generation -, 8 creationTimestamp -, 9 deletionTimestamp -, 10 deletionGracePeriodSeconds -, 11 labels {}string, 12 annotations {}string, 13 ownerReferences []OwnerReference, 14 finalizers []string, 17 managedFields -",
  OwnerReference:
    "1 kind string, 3 name string, 4 uid string, 5 apiVersion string, 6 controller bool!, 7 blockOwnerDeletion bool!",
  LabelSelector: "1 matchLabels {}string, 2 matchExpressions []Requirement",
  Requirement: "1 key string, 2 operator string, 3 values []string",
  ObjectReference:
    "1 kind string, 2 namespace string, 3 name string, 4 uid string, 5 apiVersion string, 6 resourceVersion string, 7 fieldPath string",
  LocalObjectReference: "1 name string",
  DeleteOptions:
    "1 gracePeriodSeconds int!, 2 preconditions Preconditions, 3 orphanDependents bool!, 4 propagationPolicy string, 5 dryRun []string, 6 ignoreStoreReadErrorWithClusterBreakingPotential -",
  Preconditions: "1 uid string, 2 resourceVersion string",

  Namespace: "1 metadata ObjectMeta, 2 spec NamespaceSpec, 3 status -",
  NamespaceSpec: "1 finalizers []string",
  ConfigMap: "1 metadata ObjectMeta, 2 data {}string, 3 binaryData {}bytes, 4 immutable bool!",
  Secret: "1 metadata ObjectMeta, 2 data {}bytes, 3 type string, 4 stringData {}string, 5 immutable bool!",
  ServiceAccount:
    "1 metadata ObjectMeta, 2 secrets []ObjectReference, 3 imagePullSecrets []LocalObjectReference, 4 automountServiceAccountToken bool!",
  ResourceQuota: "1 metadata ObjectMeta, 2 spec ResourceQuotaSpec, 3 status -",
  ResourceQuotaSpec: "1 hard {}Quantity, 2 scopes []string",
  Binding: "1 metadata ObjectMeta, 2 target ObjectReference",

  Service: "1 metadata ObjectMeta, 2 spec ServiceSpec, 3 status -",
  ServiceSpec:
    "1 ports []ServicePort, 2 selector {}string, 3 clusterIP string, 4 type string, 5 externalIPs []string, 7 sessionAffinity string, 8 loadBalancerIP string, 9 loadBalancerSourceRanges []string, 10 externalName string, 11 externalTrafficPolicy string, 12 healthCheckNodePort int, 13 publishNotReadyAddresses bool, 14 sessionAffinityConfig SessionAffinityConfig, 17 ipFamilyPolicy string, 18 clusterIPs []string, 19 ipFamilies []string, 20 allocateLoadBalancerNodePorts bool!, 21 loadBalancerClass string, 22 internalTrafficPolicy string, 23 trafficDistribution string",
  ServicePort:
    "1 name string, 2 protocol string, 3 port int, 4 targetPort IntOrString, 5 nodePort int, 6 appProtocol string",

  SessionAffinityConfig: "1 clientIP ClientIPConfig",
  ClientIPConfig: "1 timeoutSeconds int!",

  Ingress: "1 metadata ObjectMeta, 2 spec IngressSpec, 3 status -",
  IngressSpec: "1 defaultBackend IngressBackend, 2 tls []IngressTLS, 3 rules []IngressRule, 4 ingressClassName string!",
  IngressBackend: "3 resource TypedReference, 4 service IngressServiceBackend",
  TypedReference: "1 apiGroup string!, 2 kind string, 3 name string",
  IngressServiceBackend: "1 name string, 2 port ServiceBackendPort",
  ServiceBackendPort: "1 name string, 2 number int",
  IngressTLS: "1 hosts []string, 2 secretName string",
  IngressRule: "1 host string, 2 . IngressRuleValue",
  IngressRuleValue: "1 http HTTPIngressRuleValue",
  HTTPIngressRuleValue: "1 paths []HTTPIngressPath",
  HTTPIngressPath: "1 path string, 2 backend IngressBackend, 3 pathType string!",

  PodTemplateSpec: "1 metadata ObjectMeta, 2 spec PodSpec",
  PodSpec:
    "2 containers []Container, 3 restartPolicy string, 4 terminationGracePeriodSeconds int!, 5 activeDeadlineSeconds int!, 6 dnsPolicy string, 7 nodeSelector {}string, 8 serviceAccountName string, 9 serviceAccount string, 10 nodeName string, 11 hostNetwork bool, 12 hostPID bool, 13 hostIPC bool, 15 imagePullSecrets []LocalObjectReference, 16 hostname string, 17 subdomain string, 19 schedulerName string, 20 initContainers []Container, 21 automountServiceAccountToken bool!, 24 priorityClassName string, 25 priority int!",
  Container:
    "1 name string, 2 image string, 3 command []string, 4 args []string, 5 workingDir string, 6 ports []ContainerPort, 7 env []EnvVar, 8 resources ResourceRequirements, 13 terminationMessagePath string, 14 imagePullPolicy string, 16 stdin bool, 17 stdinOnce bool, 18 tty bool, 20 terminationMessagePolicy string",
  ContainerPort: "1 name string, 2 hostPort int, 3 containerPort int, 4 protocol string, 5 hostIP string",
  EnvVar: "1 name string, 2 value string",
  ResourceRequirements: "1 limits {}Quantity, 2 requests {}Quantity",

  Deployment: "1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status -",
  DeploymentSpec:
    "1 replicas int!, 2 selector LabelSelector, 3 template PodTemplateSpec, 4 strategy DeploymentStrategy, 5 minReadySeconds int, 6 revisionHistoryLimit int!, 7 paused bool, 9 progressDeadlineSeconds int!",
  DeploymentStrategy: "1 type string, 2 rollingUpdate RollingUpdate",
  RollingUpdate: "1 maxUnavailable IntOrString, 2 maxSurge IntOrString",

  Job: "1 metadata ObjectMeta, 2 spec JobSpec, 3 status -",
  JobSpec:
    "1 parallelism int!, 2 completions int!, 3 activeDeadlineSeconds int!, 4 selector LabelSelector, 5 manualSelector bool!, 6 template PodTemplateSpec, 7 backoffLimit int!, 8 ttlSecondsAfterFinished int!, 9 completionMode string, 10 suspend bool!",
  CronJob: "1 metadata ObjectMeta, 2 spec CronJobSpec, 3 status -",
  CronJobSpec:
    "1 schedule string, 2 startingDeadlineSeconds int!, 3 concurrencyPolicy string, 4 suspend bool!, 5 jobTemplate JobTemplateSpec, 6 successfulJobsHistoryLimit int!, 7 failedJobsHistoryLimit int!, 8 timeZone string",
  JobTemplateSpec: "1 metadata ObjectMeta, 2 spec JobSpec",

  Role: "1 metadata ObjectMeta, 2 rules []PolicyRule",
  ClusterRole: "1 metadata ObjectMeta, 2 rules []PolicyRule, 3 aggregationRule AggregationRule",
  AggregationRule: "1 clusterRoleSelectors []LabelSelector",
  PolicyRule:
    "1 verbs []string, 2 apiGroups []string, 3 resources []string, 4 resourceNames []string, 5 nonResourceURLs []string",
  RoleBinding: "1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef",
  Subject: "1 kind string, 2 apiGroup string, 3 name string, 4 namespace string",
  RoleRef: "1 apiGroup string, 2 kind string, 3 name string",

  PodDisruptionBudget: "1 metadata ObjectMeta, 2 spec PodDisruptionBudgetSpec, 3 status -",
  PodDisruptionBudgetSpec: "1 minAvailable IntOrString, 2 selector LabelSelector, 3 maxUnavailable IntOrString",
  PriorityClass:
    "1 metadata ObjectMeta, 2 value int, 3 globalDefault bool, 4 description string, 5 preemptionPolicy string",
  Eviction: "1 metadata ObjectMeta, 2 deleteOptions DeleteOptions",
  Lease: "1 metadata ObjectMeta, 2 spec LeaseSpec",
  LeaseSpec:
    "1 holderIdentity string!, 2 leaseDurationSeconds int!, 3 acquireTime MicroTime, 4 renewTime MicroTime, 5 leaseTransitions int!",

  TokenRequest: "1 metadata ObjectMeta, 2 spec TokenRequestSpec, 3 status -",
  TokenRequestSpec: "1 audiences []string, 3 boundObjectRef -, 4 expirationSeconds int!",
  SelfSubjectReview: "1 metadata ObjectMeta, 2 status -",
  SelfSubjectAccessReview: "1 metadata ObjectMeta, 2 spec AccessSpec, 3 status -",
  AccessSpec: "1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes",
  ResourceAttributes:
    "1 namespace string, 2 verb string, 3 group string, 4 version string, 5 resource string, 6 subresource string, 7 name string, 8 fieldSelector -, 9 labelSelector -",
  NonResourceAttributes: "1 path string, 2 verb string",
  SelfSubjectRulesReview: "1 metadata ObjectMeta, 2 spec RulesSpec, 3 status -",
  RulesSpec: "1 namespace string",
};

/** Messages by `apiVersion/kind`. */
export const KINDS: Readonly<Record<string, string>> = {
  "v1/Namespace": "Namespace",
  "v1/ConfigMap": "ConfigMap",
  "v1/Secret": "Secret",
  "v1/ServiceAccount": "ServiceAccount",
  "v1/Service": "Service",
  "v1/ResourceQuota": "ResourceQuota",
  "networking.k8s.io/v1/Ingress": "Ingress",
  "v1/Binding": "Binding",
  "v1/DeleteOptions": "DeleteOptions",
  "apps/v1/Deployment": "Deployment",
  "batch/v1/Job": "Job",
  "batch/v1/CronJob": "CronJob",
  "rbac.authorization.k8s.io/v1/Role": "Role",
  "rbac.authorization.k8s.io/v1/ClusterRole": "ClusterRole",
  "rbac.authorization.k8s.io/v1/RoleBinding": "RoleBinding",
  "rbac.authorization.k8s.io/v1/ClusterRoleBinding": "RoleBinding",
  "policy/v1/PodDisruptionBudget": "PodDisruptionBudget",
  "policy/v1/Eviction": "Eviction",
  "scheduling.k8s.io/v1/PriorityClass": "PriorityClass",
  "coordination.k8s.io/v1/Lease": "Lease",
  "authentication.k8s.io/v1/TokenRequest": "TokenRequest",
  "authentication.k8s.io/v1/SelfSubjectReview": "SelfSubjectReview",
  "authorization.k8s.io/v1/SelfSubjectAccessReview": "SelfSubjectAccessReview",
  "authorization.k8s.io/v1/SelfSubjectRulesReview": "SelfSubjectRulesReview",
};

function parseField(text: string): readonly [number, FieldType] {
  const [number, name, written] = text.trim().split(" ");
  const isKept = written?.endsWith("!") ?? false;
  const bare = (written ?? "").replace("!", "");
  const shape = bare.startsWith("[]") ? "list" : bare.startsWith("{}") ? "map" : "one";
  const type = shape === "one" ? bare : bare.slice(2);
  return [Number(number), { name: name ?? "", type, shape, isKept }];
}

/** Fields by message and number. */
export const MESSAGES: Readonly<Record<string, ReadonlyMap<number, FieldType>>> = Object.fromEntries(
  Object.entries(TABLES).map(([name, text]) => [name, new Map(text.split(",").map(parseField))]),
);
