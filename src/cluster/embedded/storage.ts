/**
 * Objects by kind, with one counter of revisions over all of them and a bounded history for each kind, from which
 * watchers resume. The rules of the API are not known here.
 */

import { emptyTable, type Table } from "../../store/table.ts";
import type { KubeObject } from "./types.ts";

/** A stored change. */
export interface StorageEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** For `DELETED` the last state, with the revision of the deletion. */
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
  readonly revision: number;
}

/** A listener for one kind's changes, called right after each. */
export type StorageListener = (event: StorageEvent) => void;

/** Objects of all kinds. `storage` is `group/plural`, keys are `namespace/name` or `/name`. */
export interface Storage {
  /** Of the last change of anything. */
  revision(): number;
  table(storage: string): Table<KubeObject>;
  get(storage: string, key: string): KubeObject | undefined;
  /** Creates or replaces. @returns the object with its new `resourceVersion` */
  put(storage: string, key: string, object: KubeObject): KubeObject;
  remove(storage: string, key: string): KubeObject | undefined;
  /** Events after `revision`, oldest first; undefined when they are no longer all known. */
  eventsSince(storage: string, revision: number): readonly StorageEvent[] | undefined;
  listen(storage: string, listener: StorageListener): () => void;
  /** Every kind's changes. */
  listenAll(listener: (storage: string, event: StorageEvent) => void): () => void;
  /** Forgets all history up to now, as etcd's compaction does. */
  compact(): void;
  count(): number;
}

interface Kind {
  table: Table<KubeObject>;
  history: StorageEvent[];
  /** Events with a revision up to this one may be gone. */
  forgottenUpTo: number;
  readonly listeners: Set<StorageListener>;
}

/** Key of an object in its kind's table. */
export function objectKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}

/**
 * An empty storage that remembers at least `historyEvents` (at most twice as many) events of each kind.
 * @param firstRevision at least 1; larger than any of an earlier storage that clients may have seen
 */
export function createStorage(historyEvents: number, firstRevision = 1): Storage {
  const kinds = new Map<string, Kind>();
  const everywhere = new Set<(storage: string, event: StorageEvent) => void>();
  // Above 0, since "0" has a meaning of its own in requests.
  let revision = firstRevision;

  function kind(storage: string): Kind {
    let k = kinds.get(storage);
    if (k === undefined) {
      k = { table: emptyTable(), history: [], forgottenUpTo: firstRevision - 1, listeners: new Set() };
      kinds.set(storage, k);
    }
    return k;
  }

  function record(storage: string, k: Kind, event: StorageEvent): void {
    k.history.push(event);
    if (k.history.length > 2 * historyEvents) {
      k.forgottenUpTo = k.history[k.history.length - historyEvents - 1]?.revision ?? event.revision;
      k.history = k.history.slice(-historyEvents);
    }
    for (const listener of [...k.listeners]) listener(event);
    for (const listener of [...everywhere]) listener(storage, event);
  }

  function stamped(object: KubeObject): KubeObject {
    revision++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
  }

  return {
    revision: () => revision,
    table: (storage) => kind(storage).table,
    get: (storage, key) => kind(storage).table.get(key),
    put(storage, key, object) {
      const k = kind(storage);
      const before = k.table.get(key);
      const stored = stamped(object);
      k.table = k.table.with([{ key, row: stored }]);
      record(storage, k, { type: before === undefined ? "ADDED" : "MODIFIED", object: stored, before, revision });
      return stored;
    },
    remove(storage, key) {
      const k = kind(storage);
      const before = k.table.get(key);
      if (before === undefined) return undefined;
      const last = stamped(before);
      k.table = k.table.with([{ key, row: undefined }]);
      record(storage, k, { type: "DELETED", object: last, before, revision });
      return last;
    },
    eventsSince(storage, since) {
      const k = kind(storage);
      if (since < k.forgottenUpTo) return undefined;
      const at = k.history.findIndex((e) => e.revision > since);
      return at < 0 ? [] : k.history.slice(at);
    },
    listen(storage, listener) {
      const k = kind(storage);
      const own: StorageListener = (e) => listener(e);
      k.listeners.add(own);
      return () => void k.listeners.delete(own);
    },
    listenAll(listener) {
      everywhere.add(listener);
      return () => void everywhere.delete(listener);
    },
    compact() {
      for (const k of kinds.values()) {
        k.history = [];
        k.forgottenUpTo = revision;
      }
    },
    count: () => [...kinds.values()].reduce((n, k) => n + k.table.size, 0),
  };
}
