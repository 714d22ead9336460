/**
 * Deletes what belongs to an object that is gone (`ownerReferences`), and serves the finalizers `foregroundDeletion`
 * and `orphan`. Follows all changes; an index by owner keeps it from searching.
 */

import type { Deferred } from "./deferred.ts";
import { FOREGROUND, ORPHAN, PLAIN_DELETE, PLAIN_WRITE } from "./operation-types.ts";
import type { Operations } from "./operations.ts";
import { createOwnerIndex, type OwnerIndex, type Place, placeOf } from "./owner-index.ts";
import type { Registry } from "./registry.ts";
import type { ResourceType } from "./resources.ts";
import type { Storage, StorageEvent } from "./storage.ts";
import type { KubeObject } from "./types.ts";

interface Parts {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly operations: Operations;
  readonly deferred: Deferred;
  readonly index: OwnerIndex;
}

interface Loaded {
  readonly object: KubeObject;
  readonly type: ResourceType;
}

function load(p: Parts, place: Place): Loaded | undefined {
  const object = p.storage.get(place.storage, place.key);
  const type = p.registry.byStorage(place.storage);
  return object === undefined || type === undefined ? undefined : { object, type };
}

/** Changes metadata of an object. */
function change(p: Parts, { object, type }: Loaded, metadata: Partial<KubeObject["metadata"]>): void {
  const { namespace, name } = object.metadata;
  const next = (o: KubeObject) => ({ ...o, metadata: { ...o.metadata, ...metadata } });
  p.operations.update(type, namespace, name, next, PLAIN_WRITE);
}

/** Whether an owner waits for its dependents to go first. */
function isForeground(p: Parts, uid: string): boolean {
  const place = p.index.live(uid);
  const meta = place === undefined ? undefined : p.storage.get(place.storage, place.key)?.metadata;
  return meta?.deletionTimestamp !== undefined && (meta.finalizers ?? []).includes(FOREGROUND);
}

/** Deletes a dependent when none of its owners is left, and takes the gone ones out of its references otherwise. */
function judge(p: Parts, place: Place): void {
  const found = load(p, place);
  if (found === undefined || found.object.metadata.deletionTimestamp !== undefined) return;
  const { uid, namespace, name, ownerReferences: owners = [] } = found.object.metadata;
  const left = owners.filter((o) => p.index.live(o.uid) !== undefined && !isForeground(p, o.uid));
  if (left.length === owners.length) return;
  if (left.length === 0) p.operations.delete(found.type, namespace, name, { ...PLAIN_DELETE, uid });
  else change(p, found, { ownerReferences: left });
}

/** Goes on with an owner that waits for its dependents or leaves them behind. */
function serveFinalizers(p: Parts, place: Place): void {
  const found = load(p, place);
  const meta = found?.object.metadata;
  if (found === undefined || meta?.deletionTimestamp === undefined) return;
  const finalizers = meta.finalizers ?? [];
  const without = (f: string) => change(p, found, { finalizers: finalizers.filter((x) => x !== f) });
  if (finalizers.includes(ORPHAN)) {
    for (const d of p.index.dependents(meta.uid)) {
      const child = load(p, d);
      const rest = (child?.object.metadata.ownerReferences ?? []).filter((o) => o.uid !== meta.uid);
      if (child !== undefined) change(p, child, { ownerReferences: rest });
    }
    without(ORPHAN);
  } else if (finalizers.includes(FOREGROUND)) {
    for (const d of p.index.dependents(meta.uid)) judge(p, d);
    if (p.index.dependents(meta.uid).length === 0) without(FOREGROUND);
  }
}

function follow(p: Parts, kind: string, { type, object }: StorageEvent): void {
  const { uid, ownerReferences: owners = [], finalizers = [], deletionTimestamp } = object.metadata;
  const later = (what: string, place: Place, work: (p: Parts, place: Place) => void) =>
    p.deferred.add(`${what} ${place.storage} ${place.key}`, () => work(p, place));
  const place = placeOf(kind, object);
  if (type !== "DELETED") {
    if (owners.some((o) => p.index.live(o.uid) === undefined)) later("collect", place, judge);
    const isWaiting = finalizers.some((f) => f === FOREGROUND || f === ORPHAN);
    if (isWaiting && deletionTimestamp !== undefined) later("finalize", place, serveFinalizers);
    return;
  }
  for (const d of p.index.dependents(uid)) later("collect", d, judge);
  for (const o of owners) {
    const owner = p.index.live(o.uid);
    if (owner !== undefined && isForeground(p, o.uid)) later("finalize", owner, serveFinalizers);
  }
}

/** Starts it. @returns stops it */
export function startGarbageCollector(
  storage: Storage,
  registry: Registry,
  operations: Operations,
  deferred: Deferred,
): () => void {
  const p: Parts = { storage, registry, operations, deferred, index: createOwnerIndex() };
  return storage.listenAll((kind, event) => {
    p.index.take(kind, event);
    follow(p, kind, event);
  });
}
