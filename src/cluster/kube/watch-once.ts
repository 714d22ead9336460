/** One watch from its beginning to its end, with the list before it where the server streams it. */

import { ClusterError } from "../source.ts";
import type { ListWatchOptions, ListWatchSink, Position, WatchChange } from "./list-watch-types.ts";
import { createLineSplitter } from "./watch-lines.ts";

/** Beyond the time after which the server ends a watch, a silent one is taken for dead. */
const SILENCE_GRACE_MS = 30_000;
/** A streamed list that pauses for so long will not be completed. */
const LIST_SILENCE_MS = 30_000;

const LIST_END = "k8s.io/initial-events-end";

interface WatchEvent {
  readonly type?: string;
  readonly object?: {
    readonly code?: number;
    readonly message?: string;
    readonly metadata?: { readonly resourceVersion?: string; readonly annotations?: Readonly<Record<string, string>> };
  };
}

/** Takes a watch's lines in, and gives them on in batches. */
interface Intake {
  /** The streamed list is not complete yet. */
  isListing: boolean;
  take(line: string): void;
  flush(): void;
}

function parseLine(line: string): WatchEvent {
  const event = JSON.parse(line) as WatchEvent | null;
  const { type, object } = event ?? {};
  if (type === "ERROR") {
    const message = `The watch was ended: ${object?.message ?? "no reason given"}`;
    throw new ClusterError(message, "Expired", object?.code ?? 500);
  }
  if (event === null || !["ADDED", "MODIFIED", "DELETED", "BOOKMARK"].includes(type ?? ""))
    throw new ClusterError(`The watch sent an event of an unknown type "${type}"`, "BadAnswer", 200);
  return event;
}

function createIntake(sink: ListWatchSink, at: Position): Intake {
  let listed: unknown[] = [];
  let changes: WatchChange[] = [];
  const intake: Intake = {
    isListing: at.revision === "",
    take(line) {
      const { type, object } = parseLine(line);
      if (type !== "BOOKMARK") {
        if (intake.isListing && type === "ADDED") listed.push(object);
        else changes.push({ type, object } as WatchChange);
      }
      const { resourceVersion = "", annotations } = object?.metadata ?? {};
      const isListEnd = type === "BOOKMARK" && annotations?.[LIST_END] === "true";
      // While the list comes, an object's revision says nothing about the others.
      if (resourceVersion !== "" && (!intake.isListing || isListEnd)) at.revision = resourceVersion;
      if (!intake.isListing || !isListEnd) return;
      sink.listed(listed);
      listed = [];
      intake.isListing = false;
      sink.listEnds();
      sink.live(true);
    },
    flush() {
      if (listed.length > 0) sink.listed(listed);
      listed = [];
      // Changes that came in between belong behind the list.
      if (changes.length > 0 && !intake.isListing) {
        sink.changed(changes);
        changes = [];
      }
      sink.heard();
    },
  };
  return intake;
}

function queryOf(at: Position, seconds: number): string {
  const begin =
    at.revision === ""
      ? "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
      : `resourceVersion=${encodeURIComponent(at.revision)}`;
  return `watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}&${begin}`;
}

/**
 * Follows changes from a position until the server ends the watch; without a position the list comes first.
 * @throws ClusterError `BadAnswer` when the watch ends before its list is complete
 */
export async function watchOnce(
  o: ListWatchOptions,
  sink: ListWatchSink,
  at: Position,
  signal: AbortSignal,
): Promise<void> {
  const seconds = Math.round(o.watchSeconds * (1 + o.random()));
  const intake = createIntake(sink, at);
  const silence = new AbortController();
  const overdue = setTimeout(
    () => silence.abort(new Error("The watch did not end at its time")),
    seconds * 1000 + SILENCE_GRACE_MS,
  );
  const stuck = setTimeout(
    () => intake.isListing && silence.abort(new Error("The list stopped coming")),
    LIST_SILENCE_MS,
  );
  try {
    if (intake.isListing) sink.listBegins();
    const both = AbortSignal.any([signal, silence.signal]);
    const path = `${o.path}?${queryOf(at, seconds)}`;
    const res = await o.connection.stream({ method: "GET", path, signal: both });
    sink.live(!intake.isListing);
    sink.heard();
    const splitter = createLineSplitter();
    for await (const piece of res as AsyncIterable<Buffer>) {
      stuck.refresh();
      try {
        for (const line of splitter.push(piece)) intake.take(line);
      } finally {
        // What came before a bad line has happened.
        intake.flush();
      }
    }
    if (intake.isListing)
      throw new ClusterError(`The list of ${o.path} ended before it was complete`, "BadAnswer", 200);
  } catch (error) {
    // Its own word is better than "aborted".
    if (silence.signal.aborted && !signal.aborted)
      throw new ClusterError((silence.signal.reason as Error).message, "Timeout", 0, { cause: error });
    throw error;
  } finally {
    clearTimeout(overdue);
    clearTimeout(stuck);
    sink.live(false);
  }
}
