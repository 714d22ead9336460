/** The table of nodes. */

import type { Fields } from "./fields.ts";
import { AGE, type Columns, NAME, orNone, text } from "./table-cells.ts";
import type { KubeObject } from "./types.ts";

const ROLE_PREFIX = "node-role.kubernetes.io/";

function status(o: KubeObject): string {
  const ready = (o["status"]?.conditions ?? []).find((c: Fields) => c["type"] === "Ready");
  const word = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return o["spec"]?.unschedulable === true ? `${word},SchedulingDisabled` : word;
}

function roles(o: KubeObject): string {
  const labels = o.metadata.labels ?? {};
  const found = Object.keys(labels)
    .filter((k) => k.startsWith(ROLE_PREFIX) && k.length > ROLE_PREFIX.length)
    .map((k) => k.slice(ROLE_PREFIX.length));
  const old = labels["kubernetes.io/role"];
  const all = [...new Set(old === undefined ? found : [...found, old])].sort();
  return all.length === 0 ? "<none>" : all.join(",");
}

function address(o: KubeObject, type: string): string {
  return orNone((o["status"]?.addresses ?? []).find((a: Fields) => a["type"] === type)?.address);
}

function info(o: KubeObject, key: string): string {
  return o["status"]?.nodeInfo?.[key] || "<unknown>";
}

export const NODE_COLUMNS: Columns = [
  NAME,
  text("Status", status),
  text("Roles", roles),
  AGE,
  text("Version", (o) => o["status"]?.nodeInfo?.kubeletVersion ?? ""),
  text("Internal-IP", (o) => address(o, "InternalIP"), 1),
  text("External-IP", (o) => address(o, "ExternalIP"), 1),
  text("OS-Image", (o) => info(o, "osImage"), 1),
  text("Kernel-Version", (o) => info(o, "kernelVersion"), 1),
  text("Container-Runtime", (o) => info(o, "containerRuntimeVersion"), 1),
];
