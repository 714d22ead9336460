/** Which objects there are by uid, and which belong to whom. */

import { objectKey, type StorageEvent } from "./storage.ts";
import type { KubeObject } from "./types.ts";

/** Where an object lies. */
export interface Place {
  readonly storage: string;
  readonly key: string;
}

/** An index over all kinds. */
export interface OwnerIndex {
  take(kind: string, event: StorageEvent): void;
  /** Where the object with a uid lies; undefined: there is none. */
  live(uid: string): Place | undefined;
  /** What names the uid as an owner. */
  dependents(uid: string): readonly Place[];
}

/** The place of an object of a kind. */
export function placeOf(kind: string, object: KubeObject): Place {
  return { storage: kind, key: objectKey(object.metadata.namespace, object.metadata.name) };
}

/** An empty index. */
export function createOwnerIndex(): OwnerIndex {
  /** The inner key is unique over all kinds. */
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

  return {
    take(kind, { type, object, before }) {
      const place = placeOf(kind, object);
      if (before !== undefined) index(before, place, false);
      if (type === "DELETED") {
        live.delete(object.metadata.uid);
        return;
      }
      index(object, place, true);
      live.set(object.metadata.uid, place);
    },
    live: (uid) => live.get(uid),
    dependents: (uid) => [...(dependents.get(uid)?.values() ?? [])],
  };
}
