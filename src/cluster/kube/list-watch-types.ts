/** What following a collection takes and gives. */

import type { Backoff } from "../../base/backoff.ts";
import type { Connection } from "./connection.ts";

/** One change of a watch; `object` is the last state for `DELETED`. */
export interface WatchChange {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: unknown;
}

/** Receives what happens. Calls come one after the other. */
export interface ListWatchSink {
  /** What comes from now on is of this collection. */
  from(path: string): void;
  /** A list begins: what was taken of an unfinished one is void. */
  listBegins(): void;
  listed(objects: readonly unknown[]): void;
  /** The list is complete: what it did not hold is gone. */
  listEnds(): void;
  /** Changes in their order. */
  changed(events: readonly WatchChange[]): void;
  /** Something came, if only a bookmark. */
  heard(): void;
  live(isLive: boolean): void;
  failed(error: unknown): void;
  /** Under none of its paths is there such a collection, or none that we may see. */
  unavailable(state: "absent" | "forbidden", reason: string): void;
}

/** Why following ended before the signal: the server has no such collection, or shows it to others only. */
export type WhyEnded = { readonly state: "absent" | "forbidden"; readonly reason: string };

/** How a collection is followed. */
export interface ListWatchOptions {
  readonly connection: Connection;
  /** Path of the collection, as `/api/v1/pods`. */
  readonly path: string;
  /** A server that answers 404 has no such collection, or by 403 tells only that it is not ours to see: following ends. */
  readonly mayBeAbsent: boolean;
  /**
   * `stream`: the list comes as the beginning of the watch (`sendInitialEvents`, Kubernetes 1.32 and newer), from the
   * server's cache and one object at a time; a server that refuses is asked for pages. `pages`: always pages.
   */
  readonly initialList: "stream" | "pages";
  /** Objects in a page. */
  readonly pageSize: number;
  readonly backoff: Backoff;
  /** A watch is ended by the server after this time and up to as long again, seconds. */
  readonly watchSeconds: number;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
}

/** The last revision that was taken in, whatever happened after; `""`: a list is needed. */
export interface Position {
  revision: string;
}
