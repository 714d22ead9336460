/** What the lab's controllers share: looking at everything again after any change, once for a burst of changes. */

import { createHash } from "node:crypto";
import type { KubeObject, NewObject, ObjectClient, ObjectRef } from "../../cluster/embedded/types.ts";

/** Told of what could not be done. */
export type OnError = (error: unknown, doing: string) => void;

/** Calls `look` after every change of one of the kinds, never inside of a watcher's call. @returns ends it */
export function runLoop(
  objects: ObjectClient,
  kinds: readonly { readonly apiVersion: string; readonly kind: string }[],
  look: () => void,
): () => void {
  let isQueued = false;
  let isEnded = false;
  const poke = () => {
    if (isQueued) return;
    isQueued = true;
    setImmediate(() => {
      isQueued = false;
      if (!isEnded) look();
    });
  };
  const ends = kinds.map((k) => objects.watch(k, poke));
  return () => {
    isEnded = true;
    for (const end of ends) end();
  };
}

/** The reference to an object. */
export function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, ...(namespace === undefined ? {} : { namespace }), name };
}

/** Merges into an object's status what differs from it. */
export function putStatus(objects: ObjectClient, object: KubeObject, status: Readonly<Record<string, unknown>>): void {
  const now = object["status"] ?? {};
  const isSame = Object.entries(status).every(([key, value]) => JSON.stringify(now[key]) === JSON.stringify(value));
  if (!isSame) objects.patch(refOf(object), { status: JSON.parse(JSON.stringify(status)) }, "status");
}

/** Whether an object is owned by another. */
export function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
  return object.metadata.ownerReferences?.some((o) => o.uid === owner.metadata.uid && o.controller === true) === true;
}

/** The reference that makes an object the controller of another. */
export function ownerReference(owner: KubeObject) {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** A pod of a workload, made from its template. @param more labels and fields of `spec` beside the template's */
export function workloadPod(
  workload: KubeObject,
  more: { readonly labels?: object; readonly spec?: object } = {},
): NewObject {
  const template = workload["spec"]?.template ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${workload.metadata.name}-`,
      namespace: workload.metadata.namespace ?? "default",
      labels: { ...template.metadata?.labels, ...more.labels },
      ...(template.metadata?.annotations ? { annotations: template.metadata.annotations } : {}),
      ownerReferences: [ownerReference(workload)],
    },
    spec: { ...template.spec, ...more.spec },
  };
}

/** What of an object says how it is. */
interface Conditioned {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Whether a pod's condition `Ready` is true. */
export function isPodReady(pod: KubeObject | Conditioned): boolean {
  return (pod as Conditioned).status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
}

/** Whether a pod has ended for good. */
export function isPodOver(pod: KubeObject): boolean {
  return ["Succeeded", "Failed"].includes(pod["status"]?.phase);
}

/** Identifies a workload's pod template. */
export function templateHash(workload: KubeObject): string {
  return createHash("sha256")
    .update(JSON.stringify(workload["spec"]?.template ?? {}))
    .digest("hex")
    .slice(0, 10);
}
