/**
 * Follows objects that a cluster may serve under one of several versions, or not at all: kinds of custom resources come
 * and go with their definitions.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { runListWatch } from "./list-watch.ts";
import type { ListWatchOptions, ListWatchSink, WhyEnded } from "./list-watch-types.ts";

/** What following takes beside what each collection does. */
export interface CollectionsOptions extends Omit<ListWatchOptions, "path" | "mayBeAbsent"> {
  /** Paths in the order in which they are tried. */
  readonly paths: readonly string[];
  /** A cluster that serves none of them has no such objects; else that is a failure. */
  readonly isOptional: boolean;
  /** After so long, and up to as long again, a cluster is asked anew for what it did not have. */
  readonly absentRetryMs: number;
}

/**
 * Follows until the signal. A kind that nobody serves is an empty list. Of one that we may not see nobody knows what there is:
 * a server refuses before it says whether it has the kind.
 */
export async function followCollections(
  o: CollectionsOptions,
  sink: ListWatchSink,
  signal: AbortSignal,
): Promise<void> {
  const { paths, isOptional, absentRetryMs, ...how } = o;
  while (!signal.aborted) {
    const ends: WhyEnded[] = [];
    for (const path of paths) {
      sink.from(path);
      const end = await runListWatch({ ...how, path, mayBeAbsent: isOptional }, sink, signal);
      if (end !== undefined) ends.push(end);
    }
    if (signal.aborted) return;
    const end = ends.find((e) => e.state === "forbidden") ?? ends[0];
    if (end !== undefined) sink.unavailable(end.state, end.reason);
    // Every agent of a cluster asks: spread, and seldom.
    await sleep(absentRetryMs * (1 + o.random()), undefined, { signal }).catch(() => {});
  }
}
