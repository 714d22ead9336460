/**
 * Keeps a copy of one collection: a list in pages, then a watch from the list's revision, resumed from the last seen one
 * for as long as the server's history reaches back, and begun anew with a list when it does not (410 Gone).
 */

import { setTimeout as sleep } from "node:timers/promises";
import { type Backoff, backoffMs } from "../../base/backoff.ts";
import { ClusterError } from "../source.ts";
import type { Connection } from "./connection.ts";
import { createLineSplitter } from "./watch-lines.ts";

/** Receives what happens. Calls come one after the other. */
export interface ListWatchSink {
  /** A list begins: what was taken of an unfinished one is void. */
  listBegins(): void;
  listed(objects: readonly unknown[]): void;
  /** The list is complete: what it did not hold is gone. */
  listEnds(): void;
  /** Changes in their order; `object` is the last state for `DELETED`. */
  changed(events: readonly { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: unknown }[]): void;
  /** Something came, if only a bookmark. */
  heard(): void;
  live(isLive: boolean): void;
  failed(error: unknown): void;
}

/** How a collection is followed. */
export interface ListWatchOptions {
  readonly connection: Connection;
  /** Path of the collection, as `/api/v1/pods`. */
  readonly path: string;
  /** Objects in a page. */
  readonly pageSize: number;
  readonly backoff: Backoff;
  /** A watch is ended by the server after this time and up to as long again, seconds. */
  readonly watchSeconds: number;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
}

/** A watch that ends sooner is followed by a pause: a server or proxy that closes at once must not be hammered. */
const SHORT_WATCH_MS = 1000;
/** Beyond the time after which the server ends a watch, a silent one is taken for dead. */
const SILENCE_GRACE_MS = 30_000;

interface ListPage {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly unknown[] | null;
}

interface WatchEvent {
  readonly type?: string;
  readonly object?: {
    readonly code?: number;
    readonly message?: string;
    readonly metadata?: { readonly resourceVersion?: string };
  };
}

/** Whether only a new list helps: the history is too short, or what came cannot be understood and would come again. */
function needsList(error: unknown): boolean {
  if (error instanceof SyntaxError || error instanceof RangeError) return true;
  return error instanceof ClusterError && (error.httpStatus === 410 || error.code === "BadAnswer");
}

/** Takes a whole list. @returns its revision */
async function list(o: ListWatchOptions, sink: ListWatchSink, signal: AbortSignal): Promise<string> {
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

/** The last revision that was taken in, whatever happened after. */
interface Position {
  revision: string;
}

function takeLine(
  line: string,
  at: Position,
  out: { type: "ADDED" | "MODIFIED" | "DELETED"; object: unknown }[],
): void {
  const event = JSON.parse(line) as WatchEvent;
  const { type, object } = event;
  switch (type) {
    case "ERROR":
      throw new ClusterError(
        `The watch was ended: ${object?.message ?? "no reason given"}`,
        "Expired",
        object?.code ?? 500,
      );
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      out.push({ type, object });
      break;
    case "BOOKMARK":
      break;
    default:
      throw new ClusterError(`The watch sent an event of an unknown type "${type}"`, "BadAnswer", 200);
  }
  const revision = object?.metadata?.resourceVersion;
  if (typeof revision === "string" && revision !== "") at.revision = revision;
}

/** Follows changes until the server ends the watch. */
async function watch(o: ListWatchOptions, sink: ListWatchSink, at: Position, signal: AbortSignal): Promise<void> {
  const seconds = Math.round(o.watchSeconds * (1 + o.random()));
  const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${encodeURIComponent(at.revision)}`;
  const silence = new AbortController();
  const late = () => silence.abort(new Error("The watch did not end at its time"));
  const watchdog = setTimeout(late, seconds * 1000 + SILENCE_GRACE_MS);
  try {
    const both = AbortSignal.any([signal, silence.signal]);
    const res = await o.connection.stream({ method: "GET", path: `${o.path}?${query}`, signal: both });
    sink.live(true);
    sink.heard();
    const splitter = createLineSplitter();
    for await (const piece of res as AsyncIterable<Buffer>) {
      const events: { type: "ADDED" | "MODIFIED" | "DELETED"; object: unknown }[] = [];
      try {
        for (const line of splitter.push(piece)) takeLine(line, at, events);
      } finally {
        // What came before a bad line has happened.
        if (events.length > 0) sink.changed(events);
        sink.heard();
      }
    }
  } finally {
    clearTimeout(watchdog);
    sink.live(false);
  }
}

/** Follows a collection until the signal; failures go to the sink and are retried. */
export async function runListWatch(o: ListWatchOptions, sink: ListWatchSink, signal: AbortSignal): Promise<void> {
  const at: Position = { revision: "" };
  let failures = 0;
  while (!signal.aborted) {
    const began = performance.now();
    let wait = 0;
    try {
      if (at.revision === "") at.revision = await list(o, sink, signal);
      await watch(o, sink, at, signal);
      failures = performance.now() - began < SHORT_WATCH_MS ? failures + 1 : 0;
    } catch (error) {
      if (signal.aborted) break;
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
}
