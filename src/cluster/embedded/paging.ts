/** `limit` and `continue`: pages of one unchanging snapshot, as etcd gives them. */

import { badRequest, expired } from "./api-error.ts";
import type { Matcher } from "./label-selector.ts";
import type { Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";

/** Snapshots kept for lists that are being read page by page; the oldest one goes when more are wanted. */
const MAX_SNAPSHOTS = 16;

/** One page. */
export interface Page {
  readonly objects: readonly KubeObject[];
  readonly revision: number;
  /** Token of the next page; undefined: this was the last one. */
  readonly next: string | undefined;
  readonly remaining: number;
}

/** Reads lists in pages. */
export interface Pager {
  /** @throws ApiError 400 for a token that is none, 410 for one whose snapshot is gone */
  page(storageName: string, matches: Matcher, limit: number | undefined, token: string | undefined): Page;
}

interface SortedSnapshot {
  readonly revision: number;
  readonly objects: readonly (readonly [string, KubeObject])[];
}

function compare(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}

/** A pager over a storage. */
export function createPager(storage: Storage): Pager {
  const snapshots = new Map<string, SortedSnapshot>();

  function fresh(name: string, matches: Matcher): SortedSnapshot {
    const objects: [string, KubeObject][] = [];
    for (const entry of storage.table(name).entries()) if (matches(entry[1])) objects.push([entry[0], entry[1]]);
    return { revision: storage.revision(), objects: objects.sort(compare) };
  }

  function remember(id: string, snapshot: SortedSnapshot): void {
    snapshots.delete(id);
    snapshots.set(id, snapshot);
    const oldest = snapshots.keys().next().value;
    if (snapshots.size > MAX_SNAPSHOTS && oldest !== undefined) snapshots.delete(oldest);
  }

  function resumed(token: string): { readonly id: string; readonly snapshot: SortedSnapshot; readonly from: number } {
    const m = /^([a-z0-9]+)\.(\d{1,9})$/.exec(Buffer.from(token, "base64url").toString("latin1"));
    if (m === null) throw badRequest("continue key is not valid");
    const id = m[1] ?? "";
    const snapshot = snapshots.get(id);
    if (snapshot === undefined)
      throw expired(
        "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.",
      );
    return { id, snapshot, from: Number(m[2]) };
  }

  let made = 0;
  return {
    page(name, matches, limit, token) {
      const state = token ? resumed(token) : { id: "", snapshot: fresh(name, matches), from: 0 };
      const { snapshot, from } = state;
      const to =
        limit === undefined || limit === 0 ? snapshot.objects.length : Math.min(from + limit, snapshot.objects.length);
      const remaining = snapshot.objects.length - to;
      let next: string | undefined;
      if (remaining > 0) {
        const id = state.id === "" ? `${(++made).toString(36)}r${snapshot.revision.toString(36)}` : state.id;
        remember(id, snapshot);
        next = Buffer.from(`${id}.${to}`, "latin1").toString("base64url");
      } else if (state.id !== "") {
        snapshots.delete(state.id);
      }
      return {
        objects: snapshot.objects.slice(from, to).map(([, o]) => o),
        revision: snapshot.revision,
        next,
        remaining,
      };
    },
  };
}
