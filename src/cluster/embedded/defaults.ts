/** Defaults of the built-in kinds. Each function gives a completed copy; custom resources have their schema's. */

import { defaultDefinition } from "./custom-resources.ts";
import { admitPodSpec, defaultPodSpec, qosClass } from "./defaults-pod.ts";
import { type Fields, isFields } from "./fields.ts";
import type { ResourceType } from "./resources.ts";
import { isAskedFromOutside, portsOf } from "./service-change.ts";
import type { KubeObject } from "./types.ts";

type Defaulter = (object: KubeObject) => KubeObject;

function withSpec(object: KubeObject, change: (spec: Fields) => Fields): KubeObject {
  return { ...object, spec: change(isFields(object["spec"]) ? object["spec"] : {}) };
}

function withTemplate(spec: Fields): Fields {
  const template = isFields(spec["template"]) ? spec["template"] : {};
  const podSpec = isFields(template["spec"]) ? template["spec"] : {};
  const metadata = isFields(template["metadata"]) ? template["metadata"] : {};
  return { ...spec, template: { ...template, metadata, spec: defaultPodSpec(podSpec) } };
}

function strategy(value: unknown, type: string, rolling: Fields): Fields {
  const given = isFields(value) ? value : {};
  const kind = given["type"] ?? type;
  return kind === "RollingUpdate"
    ? { type: kind, rollingUpdate: { ...rolling, ...given["rollingUpdate"] } }
    : { ...given, type: kind };
}

function defaultService(spec: Fields): Fields {
  const ports = portsOf(spec);
  const type = spec["type"] ?? "ClusterIP";
  // A time-out that was given for an affinity goes with it.
  const { sessionAffinityConfig: affinity, ...rest } = spec;
  return {
    sessionAffinity: "None",
    type,
    ...(type === "ExternalName" ? {} : { internalTrafficPolicy: "Cluster" }),
    ...(isAskedFromOutside({ ...spec, type }) ? { externalTrafficPolicy: "Cluster" } : {}),
    ...(type === "LoadBalancer" ? { allocateLoadBalancerNodePorts: true } : {}),
    ...rest,
    ...(ports.length === 0
      ? {}
      : {
          ports: ports.map((p) => ({
            ...p,
            protocol: p["protocol"] ?? "TCP",
            targetPort: p["targetPort"] || p["port"],
          })),
        }),
    ...(spec["sessionAffinity"] === "ClientIP"
      ? { sessionAffinityConfig: { ...affinity, clientIP: { timeoutSeconds: 10800, ...affinity?.clientIP } } }
      : {}),
  };
}

function defaultNetworkPolicy(spec: Fields): Fields {
  const types = Array.isArray(spec["policyTypes"]) && spec["policyTypes"].length > 0;
  const guessed = spec["egress"] === undefined ? ["Ingress"] : ["Ingress", "Egress"];
  const rules = (list: unknown) =>
    Array.isArray(list)
      ? list.map((r: Fields) =>
          Array.isArray(r["ports"])
            ? { ...r, ports: r["ports"].map((p: Fields) => ({ ...p, protocol: p["protocol"] ?? "TCP" })) }
            : r,
        )
      : list;
  return {
    ...spec,
    podSelector: spec["podSelector"] ?? {},
    ...(spec["ingress"] === undefined ? {} : { ingress: rules(spec["ingress"]) }),
    ...(spec["egress"] === undefined ? {} : { egress: rules(spec["egress"]) }),
    policyTypes: types ? spec["policyTypes"] : guessed,
  };
}

function defaultNamespace(object: KubeObject): KubeObject {
  const labels = { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name };
  const spec = { finalizers: ["kubernetes"], ...object["spec"] };
  return {
    ...object,
    metadata: { ...object.metadata, labels },
    spec,
    status: { phase: "Active", ...object["status"] },
  };
}

function defaultSecret(object: KubeObject): KubeObject {
  const { stringData, ...rest } = object as Fields;
  const encoded = Object.entries(isFields(stringData) ? stringData : {}).map(([k, v]) => [
    k,
    Buffer.from(String(v)).toString("base64"),
  ]);
  const data = encoded.length === 0 ? rest["data"] : { ...rest["data"], ...Object.fromEntries(encoded) };
  return { ...rest, ...(data === undefined ? {} : { data }), type: rest["type"] ?? "Opaque" } as unknown as KubeObject;
}

function defaultBinding(object: KubeObject): KubeObject {
  const group = (kind: unknown) => (kind === "User" || kind === "Group" ? "rbac.authorization.k8s.io" : "");
  const subjects: readonly Fields[] = Array.isArray(object["subjects"]) ? object["subjects"] : [];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", ...object["roleRef"] };
  const named = subjects.map((s) => (group(s["kind"]) === "" ? s : { apiGroup: group(s["kind"]), ...s }));
  return { ...object, ...(subjects.length === 0 ? {} : { subjects: named }), roleRef };
}

const deployment: Defaulter = (o) =>
  withSpec(o, (s) => ({
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    ...withTemplate(s),
    strategy: strategy(s["strategy"], "RollingUpdate", { maxUnavailable: "25%", maxSurge: "25%" }),
  }));

const daemonSet: Defaulter = (o) =>
  withSpec(o, (s) => ({
    revisionHistoryLimit: 10,
    ...withTemplate(s),
    updateStrategy: strategy(s["updateStrategy"], "RollingUpdate", { maxUnavailable: 1, maxSurge: 0 }),
  }));

const statefulSet: Defaulter = (o) =>
  withSpec(o, (s) => ({
    replicas: 1,
    revisionHistoryLimit: 10,
    podManagementPolicy: "OrderedReady",
    ...withTemplate(s),
    updateStrategy: strategy(s["updateStrategy"], "RollingUpdate", { partition: 0 }),
  }));

const DEFAULTERS: Readonly<Record<string, Defaulter>> = {
  "/pods": (o) => withSpec(o, defaultPodSpec),
  "/namespaces": defaultNamespace,
  "/services": (o) => withSpec(o, defaultService),
  "/secrets": defaultSecret,
  "apps/deployments": deployment,
  "apps/daemonsets": daemonSet,
  "apps/statefulsets": statefulSet,
  "apps/replicasets": (o) => withSpec(o, (s) => ({ replicas: 1, ...withTemplate(s) })),
  "/replicationcontrollers": (o) => withSpec(o, (s) => ({ replicas: 1, ...withTemplate(s) })),
  "batch/jobs": (o) => withSpec(o, (s) => ({ backoffLimit: 6, completions: 1, parallelism: 1, ...withTemplate(s) })),
  "networking.k8s.io/networkpolicies": (o) => withSpec(o, defaultNetworkPolicy),
  "rbac.authorization.k8s.io/rolebindings": defaultBinding,
  "rbac.authorization.k8s.io/clusterrolebindings": defaultBinding,
  "apiextensions.k8s.io/customresourcedefinitions": defaultDefinition,
};

/** An object completed as on every write. */
export function defaultObject(r: ResourceType, object: KubeObject): KubeObject {
  return DEFAULTERS[r.storage]?.(object) ?? object;
}

/** What only creation does: the status that a kind begins with, and what admission adds. */
export function admitNew(r: ResourceType, object: KubeObject): KubeObject {
  const { status: _, ...bare } = object as Fields;
  switch (r.storage) {
    case "/pods": {
      const spec = admitPodSpec(object["spec"] ?? {});
      return { ...bare, spec, status: { phase: "Pending", qosClass: qosClass(spec) } } as unknown as KubeObject;
    }
    case "/services":
      return { ...bare, status: { loadBalancer: {} } } as unknown as KubeObject;
    // A kubelet registers its node together with the status.
    case "/nodes":
      return object;
    case "/namespaces":
      return { ...bare, status: { phase: "Active" } } as unknown as KubeObject;
    default:
      return r.subresources.has("status")
        ? ({ ...bare, ...(r.custom === undefined ? { status: {} } : {}) } as unknown as KubeObject)
        : object;
  }
}
