/** Manifests say which pods there will be: a Deployment's template is asked about as if it were a pod of its name. */

import type { Issue } from "../../base/issue.ts";
import { createInterner } from "../../model/intern.ts";
import { type Pod, parsePod } from "../../model/pod.ts";
import type { OtherObject } from "./read-file.ts";
import type { ReadFile, Refusal } from "./read-once.ts";

const WITH_TEMPLATE =
  /^(apps\/v1 (Deployment|StatefulSet|DaemonSet|ReplicaSet)|batch\/v1 Job|v1 ReplicationController)$/;

/** Whatever is there: it has not been looked at. */
interface Loose {
  readonly metadata?: {
    readonly namespace?: unknown;
    readonly name?: unknown;
    readonly ownerReferences?: unknown;
  } | null;
  readonly spec?: { readonly template?: Loose; readonly jobTemplate?: Loose } | null;
}

function templateOf({ apiVersion, kind, value }: OtherObject): Loose | undefined {
  const { spec, metadata } = value as Loose;
  // What another object has made is that object's.
  if (Array.isArray(metadata?.ownerReferences)) return undefined;
  if (WITH_TEMPLATE.test(`${apiVersion} ${kind}`)) return spec?.template;
  return apiVersion === "batch/v1" && kind === "CronJob" ? spec?.jobTemplate?.spec?.template : undefined;
}

/** Whether a pod is there already that the workload could have made. */
function isMade(pods: readonly Pod[], template: Pod): boolean {
  return pods.some(
    (p) =>
      p.namespace === template.namespace &&
      (p.name === template.name ||
        (template.labels.size > 0 && [...template.labels].every(([k, v]) => p.labels.get(k) === v))),
  );
}

/** The pods of all workloads of which none is there. */
export function podsOfWorkloads(
  files: readonly ReadFile[],
  there: readonly Pod[],
): { readonly pods: readonly Pod[]; readonly refused: readonly Refusal[] } {
  const interner = createInterner();
  const pods: Pod[] = [];
  const refused: Refusal[] = [];
  for (const { path: file, content } of files)
    for (const other of content.others) {
      const template = templateOf(other);
      if (template === undefined) continue;
      const { namespace, name } = (other.value as Loose).metadata ?? {};
      const metadata = { ...template.metadata, namespace, name };
      const pod = parsePod({ metadata, spec: template.spec }, interner);
      if (pod.ok) {
        if (!isMade(there, pod.value) && !isMade(pods, pod.value)) pods.push(pod.value);
        continue;
      }
      const issues: Issue[] = pod.error.map((i) => ({
        ...i,
        path: i.path === "" ? "spec.template" : `spec.template.${i.path}`,
      }));
      const head = { file, place: other.place, kind: other.kind, name: typeof name === "string" ? name : "" };
      refused.push({ ...head, issues });
    }
  return { pods, refused };
}
