/**
 * Keeps a copy of one collection: a list, streamed or in pages, then a watch, resumed from the last seen revision for as
 * long as the server's history reaches back, and begun anew with a list when it does not (410 Gone).
 */

import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../../base/backoff.ts";
import { ClusterError } from "../source.ts";
import type { ListWatchOptions, ListWatchSink, Position, WhyEnded } from "./list-watch-types.ts";
import { watchOnce } from "./watch-once.ts";

/** A watch that ends sooner is followed by a pause: a server or proxy that closes at once must not be hammered. */
const SHORT_WATCH_MS = 1000;

interface ListPage {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly unknown[] | null;
}

/** Whether only a new list helps: the history is too short, or what came cannot be understood and would come again. */
function needsList(error: unknown): boolean {
  if (error instanceof SyntaxError || error instanceof RangeError) return true;
  return error instanceof ClusterError && (error.httpStatus === 410 || error.code === "BadAnswer");
}

/** Whether a server does not know how to stream a list: it refuses the parameters, or never completes it. */
function cannotStream(error: unknown): boolean {
  return (
    error instanceof ClusterError &&
    ([400, 422].includes(error.httpStatus) || ["BadAnswer", "Timeout"].includes(error.code))
  );
}

/** Takes a whole list in pages. @returns its revision */
async function listPages(o: ListWatchOptions, sink: ListWatchSink, signal: AbortSignal): Promise<string> {
  sink.listBegins();
  let token = "";
  for (;;) {
    const query = `limit=${o.pageSize}${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`;
    const page = (await o.connection.json({ method: "GET", path: `${o.path}?${query}`, signal })) as ListPage | null;
    const revision = page?.metadata?.resourceVersion;
    if (typeof revision !== "string" || revision === "")
      throw new ClusterError(`Cannot use the list of ${o.path}: it has no resourceVersion`, "BadAnswer", 200);
    sink.listed(page?.items ?? []);
    sink.heard();
    token = page?.metadata?.continue ?? "";
    if (token !== "") continue;
    sink.listEnds();
    return revision;
  }
}

/**
 * Follows a collection until the signal, or until it turns out that there is none where that may be; failures go to the
 * sink and are retried.
 */
export async function runListWatch(
  o: ListWatchOptions,
  sink: ListWatchSink,
  signal: AbortSignal,
): Promise<WhyEnded | undefined> {
  const at: Position = { revision: "" };
  let isStreaming = o.initialList === "stream";
  let failures = 0;
  while (!signal.aborted) {
    const began = performance.now();
    let wait = 0;
    try {
      if (at.revision === "" && !isStreaming) at.revision = await listPages(o, sink, signal);
      await watchOnce(o, sink, at, signal);
      failures = performance.now() - began < SHORT_WATCH_MS ? failures + 1 : 0;
    } catch (error) {
      if (signal.aborted) break;
      if (o.mayBeAbsent && error instanceof ClusterError && [403, 404].includes(error.httpStatus)) {
        sink.live(false);
        return { state: error.httpStatus === 404 ? "absent" : "forbidden", reason: error.message };
      }
      if (isStreaming && at.revision === "" && cannotStream(error)) {
        isStreaming = false;
        continue;
      }
      failures++;
      if (needsList(error)) at.revision = "";
      sink.failed(error);
      if (error instanceof ClusterError) wait = error.retryAfterMs ?? 0;
    }
    if (failures === 0) continue;
    // Between half and all of the pause: thousands of agents that lost one server must not return in step.
    const pause = backoffMs(o.backoff, failures) * (0.5 + 0.5 * o.random());
    await sleep(Math.max(wait, pause), undefined, { signal }).catch(() => {});
  }
  return undefined;
}
