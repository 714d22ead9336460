/** The table of pods: the words of its STATUS column are those that kubectl users know. */

import type { Fields } from "./fields.ts";
import { AGE, type Columns, NAME, orNone, since, text } from "./table-cells.ts";
import type { KubeObject } from "./types.ts";

function containers(o: KubeObject, list: string): readonly Fields[] {
  return o["status"]?.[list] ?? [];
}

function isSidecar(o: KubeObject, name: string): boolean {
  const found = (o["spec"]?.initContainers ?? []).find((c: Fields) => c["name"] === name);
  return found?.restartPolicy === "Always";
}

function terminatedReason(state: Fields, prefix: string): string {
  if (state["reason"]) return prefix + state["reason"];
  return prefix + (state["signal"] ? `Signal:${state["signal"]}` : `ExitCode:${state["exitCode"] ?? 0}`);
}

/** Where initialisation stands; undefined when it is over. */
function initReason(o: KubeObject): string | undefined {
  const total = (o["spec"]?.initContainers ?? []).length;
  for (const [i, c] of containers(o, "initContainerStatuses").entries()) {
    const state: Fields = c["state"] ?? {};
    if (state["terminated"]?.exitCode === 0) continue;
    if (isSidecar(o, c["name"]) && c["started"] === true) continue;
    if (state["terminated"] !== undefined) return terminatedReason(state["terminated"], "Init:");
    const waiting = state["waiting"]?.reason;
    return waiting && waiting !== "PodInitializing" ? `Init:${waiting}` : `Init:${i}/${total}`;
  }
  return undefined;
}

function runningReason(o: KubeObject, otherwise: string): string {
  let reason = otherwise;
  let hasRunning = false;
  for (const c of containers(o, "containerStatuses").toReversed()) {
    const state: Fields = c["state"] ?? {};
    if (state["waiting"]?.reason) reason = state["waiting"].reason;
    else if (state["terminated"] !== undefined) reason = terminatedReason(state["terminated"], "");
    else if (c["ready"] === true && state["running"] !== undefined) hasRunning = true;
  }
  if (reason !== "Completed" || !hasRunning) return reason;
  const isReady = (o["status"]?.conditions ?? []).some((c: Fields) => c["type"] === "Ready" && c["status"] === "True");
  return isReady ? "Running" : "NotReady";
}

/** The STATUS of a pod. */
export function podStatus(o: KubeObject): string {
  const status: Fields = o["status"] ?? {};
  const base = status["reason"] || status["phase"] || "Unknown";
  const isGated = (status["conditions"] ?? []).some(
    (c: Fields) => c["type"] === "PodScheduled" && c["reason"] === "SchedulingGated",
  );
  const isOver = status["phase"] === "Succeeded" || status["phase"] === "Failed";
  if (o.metadata.deletionTimestamp !== undefined && !isOver)
    return status["reason"] === "NodeLost" ? "Unknown" : "Terminating";
  return initReason(o) ?? runningReason(o, isGated ? "SchedulingGated" : base);
}

function counted(o: KubeObject): readonly Fields[] {
  const sidecars = containers(o, "initContainerStatuses").filter((c) => isSidecar(o, c["name"]));
  return [...sidecars, ...containers(o, "containerStatuses")];
}

function ready(o: KubeObject): string {
  const sidecars = (o["spec"]?.initContainers ?? []).filter((c: Fields) => c["restartPolicy"] === "Always").length;
  const total = (o["spec"]?.containers ?? []).length + sidecars;
  return `${counted(o).filter((c) => c["ready"] === true).length}/${total}`;
}

function restarts(o: KubeObject): string {
  const list = counted(o);
  const count = list.reduce((n, c) => n + (c["restartCount"] ?? 0), 0);
  const times = list.map((c) => c["lastState"]?.terminated?.finishedAt).filter((t) => typeof t === "string");
  const last = times.sort().at(-1);
  return count === 0 || last === undefined ? String(count) : `${count} (${since(last)} ago)`;
}

function gates(o: KubeObject): string {
  const wanted: readonly Fields[] = o["spec"]?.readinessGates ?? [];
  if (wanted.length === 0) return "<none>";
  const conditions: readonly Fields[] = o["status"]?.conditions ?? [];
  const met = wanted.filter((g) => conditions.some((c) => c["type"] === g["conditionType"] && c["status"] === "True"));
  return `${met.length}/${wanted.length}`;
}

export const POD_COLUMNS: Columns = [
  NAME,
  text("Ready", ready),
  text("Status", podStatus),
  text("Restarts", restarts),
  AGE,
  text("IP", (o) => orNone(o["status"]?.podIPs?.[0]?.ip ?? o["status"]?.podIP), 1),
  text("Node", (o) => orNone(o["spec"]?.nodeName), 1),
  text("Nominated Node", (o) => orNone(o["status"]?.nominatedNodeName), 1),
  text("Readiness Gates", gates, 1),
];
