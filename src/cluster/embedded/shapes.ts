/**
 * Types of the fields of built-in kinds that this server looks at. A real server refuses a wrong type when it decodes an
 * object; here it is done by these small schemas, so that all code behind them can rely on what it reads.
 */

import type { JsonSchema } from "./schema.ts";

const S: JsonSchema = { type: "string" };
const I: JsonSchema = { type: "integer" };
const B: JsonSchema = { type: "boolean" };
const IS: JsonSchema = { "x-kubernetes-int-or-string": true };
const O = (properties: Readonly<Record<string, JsonSchema>> = {}): JsonSchema => ({ type: "object", properties });
const L = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const M: JsonSchema = { type: "object", additionalProperties: S };

const METADATA = O({
  name: S,
  namespace: S,
  generateName: S,
  uid: S,
  resourceVersion: S,
  creationTimestamp: S,
  labels: M,
  annotations: M,
  finalizers: L(S),
  ownerReferences: L(O({ apiVersion: S, kind: S, name: S, uid: S, controller: B, blockOwnerDeletion: B })),
  managedFields: L(O({ manager: S, operation: S, apiVersion: S, fieldsV1: O(), subresource: S })),
});

const SELECTOR = O({ matchLabels: M, matchExpressions: L(O({ key: S, operator: S, values: L(S) })) });

const PROBE = O({ httpGet: O({ port: IS }), tcpSocket: O({ port: IS }), exec: O({ command: L(S) }), periodSeconds: I });

const CONTAINER = O({
  name: S,
  image: S,
  imagePullPolicy: S,
  command: L(S),
  args: L(S),
  workingDir: S,
  env: L(O({ name: S, value: S, valueFrom: O() })),
  ports: L(O({ name: S, containerPort: I, hostPort: I, hostIP: S, protocol: S })),
  resources: O({ limits: O(), requests: O() }),
  volumeMounts: L(O({ name: S, mountPath: S, readOnly: B })),
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  restartPolicy: S,
  securityContext: O({ privileged: B }),
  tty: B,
  stdin: B,
});

const POD_SPEC = O({
  containers: L(CONTAINER),
  initContainers: L(CONTAINER),
  ephemeralContainers: L(CONTAINER),
  restartPolicy: S,
  nodeName: S,
  nodeSelector: M,
  serviceAccountName: S,
  serviceAccount: S,
  hostNetwork: B,
  hostPID: B,
  hostIPC: B,
  hostname: S,
  subdomain: S,
  priority: I,
  terminationGracePeriodSeconds: I,
  tolerations: L(O({ key: S, operator: S, value: S, effect: S, tolerationSeconds: I })),
  volumes: L(O({ name: S })),
  readinessGates: L(O({ conditionType: S })),
});

const CONDITIONS = L(O({ type: S, status: S, reason: S, message: S }));
const CONTAINER_STATUSES = L(
  O({ name: S, ready: B, restartCount: I, state: O({ waiting: O(), running: O(), terminated: O() }), lastState: O() }),
);
const TEMPLATE = O({ metadata: METADATA, spec: POD_SPEC });

const POD_STATUS = O({
  phase: S,
  reason: S,
  podIP: S,
  podIPs: L(O({ ip: S })),
  conditions: CONDITIONS,
  containerStatuses: CONTAINER_STATUSES,
  initContainerStatuses: CONTAINER_STATUSES,
});

const ROLLING = O({ type: S, rollingUpdate: O({ maxUnavailable: IS, maxSurge: IS, partition: I }) });

const WORKLOAD = {
  spec: O({
    replicas: I,
    selector: SELECTOR,
    template: TEMPLATE,
    strategy: ROLLING,
    updateStrategy: ROLLING,
    paused: B,
    revisionHistoryLimit: I,
  }),
  status: O({ conditions: CONDITIONS, replicas: I, readyReplicas: I }),
};

const RULE = O({
  from: L(O({ ipBlock: O({ cidr: S, except: L(S) }), podSelector: SELECTOR, namespaceSelector: SELECTOR })),
  to: L(O({ ipBlock: O({ cidr: S, except: L(S) }), podSelector: SELECTOR, namespaceSelector: SELECTOR })),
  ports: L(O({ port: IS, endPort: I, protocol: S })),
});

const NAMES = O({ plural: S, singular: S, kind: S, listKind: S, shortNames: L(S), categories: L(S) });

const CRD_VERSION = O({
  name: S,
  served: B,
  storage: B,
  schema: O({ openAPIV3Schema: O() }),
  subresources: O({ status: O(), scale: O({ specReplicasPath: S, statusReplicasPath: S, labelSelectorPath: S }) }),
  additionalPrinterColumns: L(O({ name: S, type: S, format: S, description: S, priority: I, jsonPath: S })),
});

const ROLE = {
  rules: L(O({ verbs: L(S), apiGroups: L(S), resources: L(S), resourceNames: L(S), nonResourceURLs: L(S) })),
};

const ROLE_BINDING = {
  subjects: L(O({ kind: S, apiGroup: S, name: S, namespace: S })),
  roleRef: O({ apiGroup: S, kind: S, name: S }),
};

const SHAPES: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>> = {
  "/pods": { spec: POD_SPEC, status: POD_STATUS },
  "/nodes": {
    spec: O({
      podCIDR: S,
      podCIDRs: L(S),
      unschedulable: B,
      taints: L(O({ key: S, value: S, effect: S })),
      providerID: S,
    }),
    status: O({ addresses: L(O({ type: S, address: S })), conditions: CONDITIONS, nodeInfo: O() }),
  },
  "/namespaces": { spec: O({ finalizers: L(S) }), status: O({ phase: S, conditions: CONDITIONS }) },
  "/services": {
    spec: O({
      type: S,
      clusterIP: S,
      clusterIPs: L(S),
      ipFamilies: L(S),
      ipFamilyPolicy: S,
      externalIPs: L(S),
      externalName: S,
      sessionAffinity: S,
      sessionAffinityConfig: O({ clientIP: O({ timeoutSeconds: I }) }),
      selector: M,
      externalTrafficPolicy: S,
      internalTrafficPolicy: S,
      healthCheckNodePort: I,
      loadBalancerIP: S,
      loadBalancerClass: S,
      loadBalancerSourceRanges: L(S),
      allocateLoadBalancerNodePorts: B,
      publishNotReadyAddresses: B,
      trafficDistribution: S,
      ports: L(O({ name: S, port: I, targetPort: IS, nodePort: I, protocol: S, appProtocol: S })),
    }),
    status: O({ loadBalancer: O({ ingress: L(O({ ip: S, hostname: S })) }), conditions: CONDITIONS }),
  },
  "/configmaps": { data: M, binaryData: M, immutable: B },
  "/secrets": { data: M, stringData: M, type: S },
  "/serviceaccounts": { secrets: L(O({ name: S })), imagePullSecrets: L(O({ name: S })) },
  "/endpoints": {
    subsets: L(
      O({
        addresses: L(O({ ip: S })),
        notReadyAddresses: L(O({ ip: S })),
        ports: L(O({ name: S, port: I, protocol: S })),
      }),
    ),
  },
  "/events": { involvedObject: O(), source: O({ component: S }), reason: S, message: S, type: S, count: I },
  "/replicationcontrollers": { spec: O({ replicas: I, selector: M, template: TEMPLATE }) },
  "apps/deployments": WORKLOAD,
  "apps/daemonsets": WORKLOAD,
  "apps/replicasets": WORKLOAD,
  "apps/statefulsets": WORKLOAD,
  "batch/jobs": {
    spec: O({ selector: SELECTOR, template: TEMPLATE, completions: I, parallelism: I }),
    status: O({ conditions: CONDITIONS }),
  },
  "batch/cronjobs": {
    spec: O({ schedule: S, jobTemplate: O({ metadata: METADATA, spec: O({ template: TEMPLATE }) }) }),
  },
  "discovery.k8s.io/endpointslices": {
    addressType: S,
    ports: L(O({ name: S, port: I, protocol: S })),
    endpoints: L(O({ addresses: L(S), conditions: O(), nodeName: S, targetRef: O() })),
  },
  "coordination.k8s.io/leases": { spec: O({ holderIdentity: S, leaseDurationSeconds: I, leaseTransitions: I }) },
  "networking.k8s.io/networkpolicies": {
    spec: O({ podSelector: SELECTOR, policyTypes: L(S), ingress: L(RULE), egress: L(RULE) }),
  },
  "rbac.authorization.k8s.io/roles": ROLE,
  "rbac.authorization.k8s.io/clusterroles": ROLE,
  "rbac.authorization.k8s.io/rolebindings": ROLE_BINDING,
  "rbac.authorization.k8s.io/clusterrolebindings": ROLE_BINDING,
  "policy/poddisruptionbudgets": { spec: O({ minAvailable: IS, maxUnavailable: IS, selector: SELECTOR }) },
  "apiextensions.k8s.io/customresourcedefinitions": {
    spec: O({
      group: S,
      scope: S,
      names: NAMES,
      versions: L(CRD_VERSION),
      preserveUnknownFields: B,
      conversion: O({ strategy: S }),
    }),
    status: O({ conditions: CONDITIONS, acceptedNames: NAMES, storedVersions: L(S) }),
  },
};

const PLAIN = O({ metadata: METADATA });
const PARTS = O({ metadata: METADATA, spec: O(), status: O() });

const made = new Map<string, JsonSchema>();

/** The types of a kind's fields, as far as they are looked at. Custom resources: only the metadata's. */
export function shapeOf(storage: string, isCustom: boolean): JsonSchema {
  if (isCustom) return PLAIN;
  const own = SHAPES[storage];
  if (own === undefined) return PARTS;
  const shape = made.get(storage) ?? O({ metadata: METADATA, ...own });
  made.set(storage, shape);
  return shape;
}
