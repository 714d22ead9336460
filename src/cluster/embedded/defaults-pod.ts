/** Defaults of pods and of the pod templates in workloads, as a real API server fills them in. */

import { type Fields, isFields } from "./fields.ts";

/** What a tag says about how often an image is pulled. */
function pullPolicy(image: unknown): string {
  const last =
    String(image ?? "")
      .split("/")
      .pop() ?? "";
  const isLatest = !last.includes("@") && (!last.includes(":") || last.endsWith(":latest"));
  return isLatest ? "Always" : "IfNotPresent";
}

function defaultProbe(probe: Fields): Fields {
  return { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3, ...probe };
}

function defaultContainer(container: Fields): Fields {
  const out: Record<string, unknown> = {
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: pullPolicy(container["image"]),
    ...container,
  };
  if (Array.isArray(out["ports"]))
    out["ports"] = out["ports"].map((p) => (isFields(p) ? { ...p, protocol: p["protocol"] ?? "TCP" } : p));
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"])
    if (isFields(out[probe])) out[probe] = defaultProbe(out[probe]);
  return out;
}

function mapContainers(list: unknown): unknown {
  return Array.isArray(list) ? list.map((c) => (isFields(c) ? defaultContainer(c) : c)) : list;
}

/** Defaults of a `PodSpec`. */
export function defaultPodSpec(spec: Fields): Fields {
  const out: Record<string, unknown> = {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
    ...spec,
    containers: mapContainers(spec["containers"]),
  };
  for (const key of ["initContainers", "ephemeralContainers"]) if (key in out) out[key] = mapContainers(out[key]);
  if (out["hostNetwork"] === true && Array.isArray(out["containers"]))
    out["containers"] = out["containers"].map((c: Fields) =>
      Array.isArray(c["ports"])
        ? { ...c, ports: c["ports"].map((p: Fields) => ({ ...p, hostPort: p["hostPort"] ?? p["containerPort"] })) }
        : c,
    );
  return out;
}

const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";

/** What the admission plugins ServiceAccount, DefaultTolerationSeconds and Priority add to a pod, without the token volume. */
export function admitPodSpec(spec: Fields): Fields {
  const tolerations: readonly Fields[] = Array.isArray(spec["tolerations"]) ? spec["tolerations"] : [];
  const tolerates = (key: string) =>
    tolerations.some(
      (t) => (t["key"] === key || t["key"] === undefined) && (t["effect"] ?? "NoExecute") === "NoExecute",
    );
  const added = [NOT_READY, UNREACHABLE]
    .filter((key) => !tolerates(key))
    .map((key) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }));
  const account = spec["serviceAccountName"] || spec["serviceAccount"] || "default";
  return {
    priority: 0,
    preemptionPolicy: "PreemptLowerPriority",
    enableServiceLinks: true,
    ...spec,
    serviceAccountName: account,
    serviceAccount: account,
    tolerations: [...tolerations, ...added],
  };
}

/** Quality of service by requests and limits of the containers. */
export function qosClass(spec: Fields): string {
  const all = [...(spec["containers"] ?? []), ...(spec["initContainers"] ?? [])] as readonly Fields[];
  const lists = all.map((c) => ({ requests: c["resources"]?.requests ?? {}, limits: c["resources"]?.limits ?? {} }));
  if (lists.every((l) => Object.keys(l.requests).length === 0 && Object.keys(l.limits).length === 0))
    return "BestEffort";
  const isGuaranteed = lists.every((l) =>
    ["cpu", "memory"].every((k) => l.limits[k] !== undefined && (l.requests[k] ?? l.limits[k]) === l.limits[k]),
  );
  return isGuaranteed ? "Guaranteed" : "Burstable";
}
