/** Watches over HTTP: one line of JSON for each event, until the client goes, the time is over, or it reads too slowly. */

import type { ServerResponse } from "node:http";
import { badRequest, expired } from "./api-error.ts";
import type { Matcher } from "./label-selector.ts";
import { eventFor, listObjects } from "./objects.ts";
import { inVersion } from "./operation-types.ts";
import { apiVersionOf, type ResourceType } from "./resources.ts";
import type { Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";

/** Bytes that may wait for a slow reader. Then the connection is closed, and the client resumes. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
const BOOKMARK_EVERY_MS = 30_000;
const DEFAULT_TIMEOUT_SECONDS = 1800;

/** What a watch asks for. */
export interface WatchRequest {
  readonly type: ResourceType;
  readonly matches: Matcher;
  /** As in the query; `""` or `"0"`: begin with what there is. */
  readonly resourceVersion: string;
  readonly timeoutSeconds: number | undefined;
  readonly hasBookmarks: boolean;
  /** `sendInitialEvents`: what there is, then a bookmark that says so; or nothing. undefined: as the revision says. */
  readonly initialEvents: boolean | undefined;
  /** What a bookmark says that it is. */
  readonly bookmarkAs: Pick<ResourceType, "group" | "version" | "kind">;
  /** Text of an object in the form that was asked for. */
  readonly render: (object: KubeObject) => string;
}

/** Figures over all watches of a server. */
export interface WatchStats {
  open: number;
  slowClosed: number;
}

interface Stream {
  /** What there is comes first, as fast as the client reads: it is the server's own memory, and waits as it is. */
  begin(lines: Iterable<string>): void;
  send(type: string, text: string): void;
  end(): void;
}

function lineOf(type: string, text: string): string {
  return `{"type":"${type}","object":${text}}\n`;
}

function openStream(res: ServerResponse, stats: WatchStats): Stream {
  res.writeHead(200, {
    "content-type": "application/json",
    "transfer-encoding": "chunked",
    "cache-control": "no-cache, private",
  });
  res.flushHeaders();
  let first: Iterator<string> | undefined;
  /** What has happened since, while the client still reads what was before. */
  let behind: string[] = [];
  let behindBytes = 0;
  let isEnding = false;
  const isOver = () => res.destroyed || res.writableEnded;

  function pump(): void {
    while (first !== undefined && !isOver()) {
      if (res.writableNeedDrain) return;
      const next = first.next();
      if (next.done === true) first = undefined;
      else res.write(next.value);
    }
    for (const line of isOver() ? [] : behind) res.write(line);
    behind = [];
    behindBytes = 0;
    if (isEnding && !isOver()) res.end();
  }
  res.on("drain", pump);

  return {
    begin(lines) {
      first = lines[Symbol.iterator]();
      pump();
    },
    send(type, text) {
      if (isOver()) return;
      const line = lineOf(type, text);
      if (first === undefined) res.write(line);
      else {
        behind.push(line);
        behindBytes += line.length;
      }
      if (behindBytes + (first === undefined ? res.writableLength : 0) <= MAX_PENDING_BYTES) return;
      stats.slowClosed++;
      res.destroy();
    },
    end() {
      isEnding = true;
      if (first === undefined && !isOver()) res.end();
    },
  };
}

function bookmark(r: WatchRequest["bookmarkAs"], revision: number, isInitialEnd: boolean): string {
  const annotations = isInitialEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
  const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...annotations };
  return JSON.stringify({ kind: r.kind, apiVersion: apiVersionOf(r), metadata });
}

/** What is sent before live events. @returns undefined when the history does not reach back */
function backlog(
  storage: Storage,
  w: WatchRequest,
): { readonly type: string; readonly object: KubeObject }[] | undefined {
  const isFromStart = w.resourceVersion === "" || w.resourceVersion === "0";
  if (isFromStart && w.initialEvents === false) return [];
  if (isFromStart || w.initialEvents)
    return listObjects(storage, w.type, w.matches).map((object) => ({ type: "ADDED", object }));
  if (!/^\d{1,16}$/.test(w.resourceVersion))
    throw badRequest(`Invalid value: ${JSON.stringify(w.resourceVersion)}: resource version must be a number`);
  const from = Number(w.resourceVersion);
  const events = from > storage.revision() ? undefined : storage.eventsSince(w.type.storage, from);
  return events?.flatMap((e) => {
    const seen = eventFor(e, w.matches);
    return seen === undefined ? [] : [{ type: seen.type, object: inVersion(w.type, seen.object) }];
  });
}

/** Serves a watch; returns at once. @throws ApiError 400 before anything was sent */
export function serveWatch(storage: Storage, res: ServerResponse, w: WatchRequest, stats: WatchStats): void {
  const first = backlog(storage, w);
  const stream = openStream(res, stats);
  if (first === undefined) {
    // As from the real server: the refusal of a revision is an event, not an HTTP status.
    stream.send(
      "ERROR",
      JSON.stringify(expired(`too old resource version: ${w.resourceVersion} (${storage.revision()})`).toStatus()),
    );
    stream.end();
    return;
  }
  const revision = storage.revision();
  function* lines(events: NonNullable<typeof first>): Generator<string> {
    for (const { type, object } of events) yield lineOf(type, w.render(object));
    if (w.initialEvents && w.hasBookmarks) yield lineOf("BOOKMARK", bookmark(w.bookmarkAs, revision, true));
  }
  stream.begin(lines(first));
  stats.open++;
  const stopListening = storage.listen(w.type.storage, (stored) => {
    const event = eventFor(stored, w.matches);
    if (event !== undefined) stream.send(event.type, w.render(inVersion(w.type, event.object)));
  });
  const mark = () => w.hasBookmarks && stream.send("BOOKMARK", bookmark(w.bookmarkAs, storage.revision(), false));
  const bookmarks = setInterval(mark, BOOKMARK_EVERY_MS);
  const seconds = w.timeoutSeconds || DEFAULT_TIMEOUT_SECONDS;
  const timeout = setTimeout(
    () => {
      mark();
      stream.end();
    },
    Math.min(seconds, 24 * 3600) * 1000,
  );
  res.once("close", () => {
    stats.open--;
    stopListening();
    clearInterval(bookmarks);
    clearTimeout(timeout);
  });
}
