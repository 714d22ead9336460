/**
 * Deletes what belongs to an object that is gone (`ownerReferences`), and serves the finalizers `foregroundDeletion`
 * and `orphan`. Follows all changes; an index by owner keeps it from searching.
 */

import type { Deferred } from "./deferred.ts";
import { FOREGROUND, ORPHAN, type Operations, PLAIN_DELETE, PLAIN_WRITE } from "./operations.ts";
import type { Registry } from "./registry.ts";
import { objectKey, type Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";

interface Place {
  readonly storage: string;
  readonly key: string;
}

/** Starts it. @returns stops it */
export function startGarbageCollector(
  storage: Storage,
  registry: Registry,
  operations: Operations,
  deferred: Deferred,
): () => void {
  /** Dependents by their owner's uid; the inner key is unique over all kinds. */
  const dependents = new Map<string, Map<string, Place>>();
  const live = new Map<string, Place>();

  function index(object: KubeObject, place: Place, isThere: boolean): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const known = dependents.get(uid) ?? new Map<string, Place>();
      const id = `${place.storage} ${place.key}`;
      if (isThere) known.set(id, place);
      else known.delete(id);
      if (known.size > 0) dependents.set(uid, known);
      else dependents.delete(uid);
    }
  }

  function load(
    place: Place,
  ): { readonly object: KubeObject; readonly type: NonNullable<ReturnType<Registry["byStorage"]>> } | undefined {
    const object = storage.get(place.storage, place.key);
    const type = registry.byStorage(place.storage);
    return object === undefined || type === undefined ? undefined : { object, type };
  }

  function dependentsOf(uid: string): Place[] {
    return [...(dependents.get(uid)?.values() ?? [])];
  }

  /** Deletes a dependent when none of its owners is left, and takes the gone ones out of its references otherwise. */
  function judge(place: Place): void {
    const found = load(place);
    if (found === undefined || found.object.metadata.deletionTimestamp !== undefined) return;
    const { object, type } = found;
    const { namespace, name } = object.metadata;
    const owners = object.metadata.ownerReferences ?? [];
    const left = owners.filter((o) => live.has(o.uid) && !isForeground(o.uid));
    if (owners.length === 0 || left.length === owners.length) return;
    if (left.length === 0) operations.delete(type, namespace, name, { ...PLAIN_DELETE, uid: object.metadata.uid });
    else setReferences(object, type, left);
  }

  function setReferences(
    object: KubeObject,
    type: NonNullable<ReturnType<Registry["byStorage"]>>,
    ownerReferences: KubeObject["metadata"]["ownerReferences"],
  ): void {
    const { namespace, name } = object.metadata;
    operations.update(
      type,
      namespace,
      name,
      (o) => ({ ...o, metadata: { ...o.metadata, ownerReferences } }),
      PLAIN_WRITE,
    );
  }

  function isForeground(uid: string): boolean {
    const place = live.get(uid);
    const meta = place === undefined ? undefined : storage.get(place.storage, place.key)?.metadata;
    return meta?.deletionTimestamp !== undefined && (meta.finalizers ?? []).includes(FOREGROUND);
  }

  /** Goes on with an owner that waits for its dependents or leaves them behind. */
  function serveFinalizers(place: Place): void {
    const found = load(place);
    const meta = found?.object.metadata;
    if (found === undefined || meta?.deletionTimestamp === undefined) return;
    const finalizers = meta.finalizers ?? [];
    let done: string | undefined;
    if (finalizers.includes(ORPHAN)) {
      for (const d of dependentsOf(meta.uid)) {
        const child = load(d);
        const rest = (child?.object.metadata.ownerReferences ?? []).filter((o) => o.uid !== meta.uid);
        if (child !== undefined) setReferences(child.object, child.type, rest);
      }
      done = ORPHAN;
    } else if (finalizers.includes(FOREGROUND)) {
      for (const d of dependentsOf(meta.uid)) judge(d);
      if (dependentsOf(meta.uid).length === 0) done = FOREGROUND;
    }
    if (done === undefined) return;
    const change = (o: KubeObject) => ({
      ...o,
      metadata: { ...o.metadata, finalizers: (o.metadata.finalizers ?? []).filter((f) => f !== done) },
    });
    operations.update(found.type, meta.namespace, meta.name, change, PLAIN_WRITE);
  }

  return storage.listenAll((kind, event) => {
    const { object, before, type } = event;
    const place = { storage: kind, key: objectKey(object.metadata.namespace, object.metadata.name) };
    if (before !== undefined) index(before, place, false);
    const owners = object.metadata.ownerReferences ?? [];
    if (type !== "DELETED") {
      index(object, place, true);
      live.set(object.metadata.uid, place);
      const isOrphaned = owners.length > 0 && owners.some((o) => !live.has(o.uid));
      if (isOrphaned) deferred.add(`collect ${kind} ${place.key}`, () => judge(place));
      const isWaiting = (object.metadata.finalizers ?? []).some((f) => f === FOREGROUND || f === ORPHAN);
      if (isWaiting && object.metadata.deletionTimestamp !== undefined)
        deferred.add(`finalize ${kind} ${place.key}`, () => serveFinalizers(place));
      return;
    }
    live.delete(object.metadata.uid);
    for (const d of dependentsOf(object.metadata.uid)) deferred.add(`collect ${d.storage} ${d.key}`, () => judge(d));
    for (const o of owners) {
      const owner = live.get(o.uid);
      if (owner !== undefined && isForeground(o.uid))
        deferred.add(`finalize ${owner.storage} ${owner.key}`, () => serveFinalizers(owner));
    }
  });
}
