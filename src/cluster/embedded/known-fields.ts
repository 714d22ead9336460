/**
 * Names of the fields of the built-in kinds that people write by hand, to find what is misspelt.
 *
 * What is not listed is warned of and kept: a list that were incomplete must not refuse a right manifest.
 */

import { isFields } from "./fields.ts";

/** Known members; `true`: not looked into. Lists are looked into item by item. */
interface Known {
  readonly [name: string]: true | Known;
}

const MAX_FOUND = 20;

/** `a b c` as members that are not looked into. */
function names(text: string): Known {
  return Object.fromEntries(text.split(/\s+/).map((n) => [n, true as const]));
}

const METADATA = names(
  "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation labels managedFields name namespace ownerReferences resourceVersion selfLink uid",
);

const SELECTOR: Known = { matchLabels: true, matchExpressions: names("key operator values") };

const PROBE = names(
  "exec failureThreshold grpc httpGet initialDelaySeconds periodSeconds successThreshold tcpSocket terminationGracePeriodSeconds timeoutSeconds",
);

const CONTAINER: Known = {
  ...names(
    "args command envFrom image imagePullPolicy lifecycle name resizePolicy restartPolicy restartPolicyRules securityContext stdin stdinOnce targetContainerName terminationMessagePath terminationMessagePolicy tty volumeDevices workingDir",
  ),
  env: names("name value valueFrom"),
  ports: names("containerPort hostIP hostPort name protocol"),
  resources: names("claims limits requests"),
  volumeMounts: names("mountPath mountPropagation name readOnly recursiveReadOnly subPath subPathExpr"),
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
};

const POD_SPEC: Known = {
  ...names(
    "activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride imagePullSecrets nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName readinessGates resourceClaims resources restartPolicy runtimeClassName schedulerName schedulingGates securityContext serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds topologySpreadConstraints volumes",
  ),
  tolerations: names("effect key operator tolerationSeconds value"),
  containers: CONTAINER,
  initContainers: CONTAINER,
  ephemeralContainers: CONTAINER,
};

const TEMPLATE: Known = { metadata: METADATA, spec: POD_SPEC };
const PEER: Known = { ipBlock: names("cidr except"), namespaceSelector: SELECTOR, podSelector: SELECTOR };
const POLICY_PORTS = names("endPort port protocol");

function workload(more: string): Known {
  return { spec: { ...names(`minReadySeconds ${more}`.trim()), selector: SELECTOR, template: TEMPLATE }, status: true };
}

const KINDS: Readonly<Record<string, Known>> = {
  "/pods": { spec: POD_SPEC, status: true },
  "/namespaces": { spec: names("finalizers"), status: true },
  "/nodes": { spec: names("configSource externalID podCIDR podCIDRs providerID taints unschedulable"), status: true },
  "/configmaps": names("binaryData data immutable"),
  "/secrets": names("data immutable stringData type"),
  "/serviceaccounts": names("automountServiceAccountToken imagePullSecrets secrets"),
  "/services": {
    spec: {
      ...names(
        "allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP loadBalancerSourceRanges publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig trafficDistribution type",
      ),
      ports: names("appProtocol name nodePort port protocol targetPort"),
    },
    status: true,
  },
  "apps/deployments": workload("paused progressDeadlineSeconds replicas revisionHistoryLimit strategy"),
  "apps/daemonsets": workload("revisionHistoryLimit updateStrategy"),
  "apps/replicasets": workload("replicas"),
  "apps/statefulsets": workload(
    "ordinals persistentVolumeClaimRetentionPolicy podManagementPolicy replicas revisionHistoryLimit serviceName updateStrategy volumeClaimTemplates",
  ),
  "networking.k8s.io/networkpolicies": {
    spec: {
      podSelector: SELECTOR,
      policyTypes: true,
      ingress: { from: PEER, ports: POLICY_PORTS },
      egress: { to: PEER, ports: POLICY_PORTS },
    },
    status: true,
  },
};

function search(value: unknown, known: Known, at: string, out: string[]): void {
  if (out.length >= MAX_FOUND) return;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) search(item, known, `${at}[${i}]`, out);
    return;
  }
  if (!isFields(value)) return;
  for (const key of Object.keys(value)) {
    const below = Object.hasOwn(known, key) ? known[key] : undefined;
    const path = at === "" ? key : `${at}.${key}`;
    if (below === undefined) out.push(path);
    else if (below !== true) search(value[key], below, path, out);
  }
}

/** Paths of fields that a kind does not have, at most 20; none for kinds that are not listed. */
export function unknownFields(storage: string, object: unknown): string[] {
  const known = KINDS[storage];
  const out: string[] = [];
  if (known !== undefined) search(object, { apiVersion: true, kind: true, metadata: METADATA, ...known }, "", out);
  return out.slice(0, MAX_FOUND);
}
