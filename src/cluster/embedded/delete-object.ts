/** Deletion: grace for pods, finalizers, what is done with dependents. */

import { conflict, modified } from "./api-error.ts";
import { type Fields, jsonEqual, timestamp } from "./fields.ts";
import {
  type DeleteOptions,
  FOREGROUND,
  isDeletable,
  type OperationContext,
  ORPHAN,
  putObject,
  removeObject,
} from "./operation-types.ts";
import type { ResourceType } from "./resources.ts";
import type { KubeObject } from "./types.ts";

function graceOf(r: ResourceType, object: KubeObject, wanted: number | undefined): number {
  if (r.storage !== "/pods") return 0;
  const { spec, status } = object as Fields;
  if (!spec?.nodeName || status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  return Math.max(0, wanted ?? spec.terminationGracePeriodSeconds ?? 30);
}

function finalizersFor(object: KubeObject, propagation: DeleteOptions["propagation"]): readonly string[] {
  const kept = (object.metadata.finalizers ?? []).filter((f) => f !== FOREGROUND && f !== ORPHAN);
  if (propagation === "Foreground") return [...kept, FOREGROUND];
  return propagation === "Orphan" ? [...kept, ORPHAN] : kept;
}

/** Deletes an object, or marks it as to be deleted. @returns what it was or is now, and whether it is gone */
export function deleteObject(c: OperationContext, r: ResourceType, current: KubeObject, o: DeleteOptions) {
  const { metadata } = current;
  if (o.uid !== undefined && o.uid !== metadata.uid)
    throw conflict(
      r,
      metadata.name,
      `Precondition failed: UID in precondition: ${o.uid}, UID in object meta: ${metadata.uid}`,
    );
  if (o.resourceVersion !== undefined && o.resourceVersion !== metadata.resourceVersion)
    throw modified(r, metadata.name);
  const wanted = graceOf(r, current, o.graceSeconds);
  // A second deletion may only shorten the wait.
  const seconds =
    metadata.deletionTimestamp === undefined ? wanted : Math.min(wanted, metadata.deletionGracePeriodSeconds ?? 0);
  const finalizers =
    metadata.deletionTimestamp === undefined ? finalizersFor(current, o.propagation) : (metadata.finalizers ?? []);
  const { finalizers: _, ...rest } = metadata;
  const marked: KubeObject = {
    ...current,
    metadata: {
      ...rest,
      ...(finalizers.length === 0 ? {} : { finalizers }),
      deletionTimestamp:
        metadata.deletionTimestamp !== undefined && seconds === metadata.deletionGracePeriodSeconds
          ? metadata.deletionTimestamp
          : timestamp(c.nowMs() + seconds * 1000),
      deletionGracePeriodSeconds: seconds,
      generation: (metadata.generation ?? 1) + (metadata.deletionTimestamp === undefined ? 1 : 0),
    },
    ...(r.storage === "/namespaces" ? { status: { ...current["status"], phase: "Terminating" } } : {}),
  };
  if (isDeletable(r, marked)) return { object: o.dryRun ? current : removeObject(c, r, marked), isGone: true };
  if (jsonEqual(marked, current)) return { object: current, isGone: false };
  return { object: putObject(c, r, marked, o.dryRun), isGone: false };
}
