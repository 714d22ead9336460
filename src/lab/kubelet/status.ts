/** A pod's status from what its node knows: pure, so that every state can be tested without a pod. */

import type { KubeObject } from "../../cluster/embedded/types.ts";
import type { ContainerSpec } from "./image.ts";

/** A container's end. */
export interface Termination {
  readonly code: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly id: string;
}

/** What a container does. */
export type ContainerState =
  | { readonly kind: "waiting"; readonly reason: string; readonly message?: string }
  | { readonly kind: "running"; readonly startedMs: number }
  | ({ readonly kind: "terminated" } & Termination);

/** What is known of a container. */
export interface ContainerFacts {
  readonly spec: ContainerSpec;
  readonly state: ContainerState;
  readonly last: Termination | undefined;
  readonly restarts: number;
  readonly isReady: boolean;
  readonly id: string | undefined;
}

/** What is known of a pod. */
export interface PodFacts {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly startedMs: number;
  readonly init: readonly ContainerFacts[];
  readonly containers: readonly ContainerFacts[];
}

type Condition = {
  type: string;
  status: string;
  lastTransitionTime: string;
  lastProbeTime: null;
  reason?: string;
  message?: string;
};

const time = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function terminatedJson(t: Termination) {
  return {
    exitCode: t.code,
    reason: t.code === 0 ? "Completed" : "Error",
    startedAt: time(t.startedMs),
    finishedAt: time(t.endedMs),
    containerID: `twill-lab://${t.id}`,
  };
}

function stateJson(state: ContainerState) {
  if (state.kind === "running") return { running: { startedAt: time(state.startedMs) } };
  if (state.kind === "terminated") return { terminated: terminatedJson(state) };
  return { waiting: { reason: state.reason, ...(state.message === undefined ? {} : { message: state.message }) } };
}

function containerJson(c: ContainerFacts) {
  return {
    name: c.spec.name,
    image: c.spec.image ?? "",
    imageID: "",
    ready: c.isReady,
    started: c.state.kind === "running",
    restartCount: c.restarts,
    state: stateJson(c.state),
    lastState: c.last === undefined ? {} : { terminated: terminatedJson(c.last) },
    ...(c.id === undefined ? {} : { containerID: `twill-lab://${c.id}` }),
  };
}

/** The phase by Kubernetes' rules (pod lifecycle, "Pod phase"). */
export function podPhase(facts: PodFacts, restartPolicy: string): "Pending" | "Running" | "Succeeded" | "Failed" {
  const isFailed = (c: ContainerFacts) => c.state.kind === "terminated" && c.state.code !== 0;
  if (restartPolicy === "Never" && facts.init.some(isFailed)) return "Failed";
  if (facts.init.some((c) => !(c.state.kind === "terminated" && c.state.code === 0))) return "Pending";
  const ends = facts.containers.filter((c) => c.state.kind === "terminated");
  if (ends.length === facts.containers.length && restartPolicy !== "Always") {
    if (!ends.some(isFailed)) return "Succeeded";
    if (restartPolicy === "Never") return "Failed";
  }
  const hasStarted = (c: ContainerFacts) => c.state.kind !== "waiting" || c.restarts > 0 || c.last !== undefined;
  return facts.containers.every(hasStarted) ? "Running" : "Pending";
}

function conditions(pod: KubeObject, facts: PodFacts, phase: string, nowMs: number): Condition[] {
  const before = (pod["status"]?.conditions ?? []) as Condition[];
  const isInitialized = facts.init.every((c) => c.state.kind === "terminated" && c.state.code === 0);
  const unready = facts.containers.filter((c) => !c.isReady).map((c) => c.spec.name);
  const isReady = unready.length === 0 && phase === "Running";
  const why = {
    reason: phase === "Succeeded" ? "PodCompleted" : "ContainersNotReady",
    message: `containers with unready status: [${unready.join(" ")}]`,
  };
  const wanted: [string, boolean, { reason?: string; message?: string }][] = [
    ["Initialized", isInitialized, isInitialized ? {} : { reason: "ContainersNotInitialized" }],
    ["Ready", isReady, isReady ? {} : why],
    ["ContainersReady", isReady, isReady ? {} : why],
    ["PodScheduled", true, {}],
  ];
  return wanted.map(([type, is, more]) => {
    const status = is ? "True" : "False";
    const old = before.find((c) => c.type === type);
    return {
      type,
      status,
      lastProbeTime: null,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : time(nowMs),
      ...more,
    };
  });
}

/** `status` of the pod as it should be written now. */
export function podStatus(pod: KubeObject, facts: PodFacts, nowMs: number) {
  const phase = podPhase(facts, pod["spec"]?.restartPolicy ?? "Always");
  return {
    phase,
    conditions: conditions(pod, facts, phase, nowMs),
    hostIP: facts.hostIPs[0] ?? "",
    hostIPs: facts.hostIPs.map((ip) => ({ ip })),
    podIP: facts.podIPs[0] ?? null,
    podIPs: facts.podIPs.length > 0 ? facts.podIPs.map((ip) => ({ ip })) : null,
    startTime: time(facts.startedMs),
    containerStatuses: facts.containers.map(containerJson),
    ...(facts.init.length > 0 ? { initContainerStatuses: facts.init.map(containerJson) } : {}),
  };
}
