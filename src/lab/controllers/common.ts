/** What the lab's controllers have in common: level-triggered runs over all objects of a kind, owners, readiness. */

import type { Json, KubeObject, ObjectClient, OwnerReference } from "../../cluster/embedded/types.ts";

interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
}

/** What one controller looks at and does. */
export interface Level {
  /** The kind that it is responsible for. */
  readonly kind: Kind;
  /** Other kinds whose changes matter. */
  readonly also: readonly Kind[];
  /** Sees to all objects of the kind; work done through `each` may fail for one object without harm to the others. */
  reconcileAll(all: readonly KubeObject[], each: (object: KubeObject, work: () => void) => void): void;
}

/** Runs a controller after every change of what it looks at, many changes at once as one. @returns ends it */
export function runLevel(
  objects: ObjectClient,
  onError: (error: unknown, doing: string) => void,
  level: Level,
): () => void {
  let isQueued = false;
  let isEnded = false;

  function reconcile(): void {
    isQueued = false;
    if (isEnded) return;
    level.reconcileAll(objects.list(level.kind), (object, work) => {
      try {
        work();
      } catch (error) {
        onError(error, `reconcile ${level.kind.kind} "${object.metadata.namespace}/${object.metadata.name}"`);
      }
    });
  }

  const poke = () => {
    if (isQueued) return;
    isQueued = true;
    setImmediate(reconcile);
  };
  const ends = [level.kind, ...level.also].map((k) => objects.watch(k, poke));
  return () => {
    isEnded = true;
    for (const end of ends) end();
  };
}

/** Whether an object belongs to another one. */
export function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
  return object.metadata.ownerReferences?.some((o) => o.uid === owner.metadata.uid) ?? false;
}

/** A reference to the controller of an object. */
export function ownerReference(owner: KubeObject): OwnerReference {
  const { apiVersion, kind, metadata } = owner;
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true };
}

/** Whether a pod's condition `Ready` is true. */
export function isPodReady(pod: KubeObject): boolean {
  const conditions = (pod["status"]?.conditions ?? []) as readonly { type: string; status: string }[];
  return conditions.some((c) => c.type === "Ready" && c.status === "True");
}

/** Writes a status; the server leaves one alone that says the same. */
export function patchStatus(objects: ObjectClient, object: KubeObject, status: { readonly [key: string]: Json }): void {
  const { apiVersion, kind, metadata } = object;
  objects.patch(
    { apiVersion, kind, namespace: metadata.namespace ?? "default", name: metadata.name },
    { status },
    "status",
  );
}
