/**
 * A cluster source over a directory of YAML: a host, or a handful of them, without a Kubernetes API.
 *
 * Every change makes the directory be looked through again, and only changed files be read. What cannot be read is a
 * problem that names file and document, and what the same file said before goes on to count.
 */

import { statSync, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterError, type ClusterSource, type ClusterTable } from "../source.ts";
import { createSourceState, type SourceState } from "../source-state.ts";
import { TABLE_KINDS } from "../tables.ts";
import { collectRows, EMPTY_FILE, type KeptFile, keepGood, keepUnread, rowChanges } from "./collect.ts";
import { readFileContent } from "./read-file.ts";
import { type FoundFile, scanDirectory } from "./scan.ts";

/** Largest file that is read. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** How the source behaves. */
export interface DirectorySourceOptions {
  readonly path: string;
  /** The directory is looked through this often even when nothing reports a change (network file systems). Default 10 s. */
  readonly rescanMs?: number;
  /** Changes within this time are taken together. Default 50 ms. */
  readonly settleMs?: number;
  /** Told of every failure and problem when it is new, for the log. */
  readonly onFailure?: (error: unknown, subject: string) => void;
}

/** How often it is looked whether another directory stands at the path: what watches the one before would not tell. */
const SAME_MS = 1_000;

/** Which directory it is, whatever leads there; empty: none. */
function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.dev}:${found.ino}`;
}

interface Known {
  readonly stamp: string;
  readonly kept: KeptFile;
}

/** Reads a directory whenever asked, and keeps the state up to date. */
function createDirectoryReader(root: string, state: SourceState, onFailure: (error: unknown, subject: string) => void) {
  let known = new Map<string, Known>();
  let reported = new Set<string>();

  async function readOne(file: FoundFile): Promise<Known> {
    const before = known.get(file.path);
    if (before?.stamp === file.stamp) return before;
    const kept = before?.kept ?? EMPTY_FILE;
    if (file.bytes > MAX_FILE_BYTES) {
      const message = `The file has ${file.bytes} bytes: at most ${MAX_FILE_BYTES} are read`;
      return { stamp: file.stamp, kept: keepUnread(file.path, message, kept) };
    }
    try {
      const text = await readFile(join(root, file.path), "utf8");
      return { stamp: file.stamp, kept: keepGood(file.path, readFileContent(text, state.interner), kept) };
    } catch (error) {
      // Tried again at the next look.
      return { stamp: "", kept: keepUnread(file.path, `Cannot be read: ${(error as Error).message}`, kept) };
    }
  }

  function report(problems: ReturnType<typeof collectRows>["problems"]): void {
    const now = new Set<string>();
    for (const p of problems) {
      const text = p.issues.map((i) => (i.path === "" ? i.message : `${i.path}: ${i.message}`)).join("; ");
      now.add(`${p.subject} ${text}`);
      if (!reported.has(`${p.subject} ${text}`)) onFailure(new Error(text), p.subject);
    }
    reported = now;
  }

  return async function read(): Promise<void> {
    const scan = await scanDirectory(root);
    const next = new Map<string, Known>();
    for (const file of scan.files) next.set(file.path, await readOne(file));
    known = next;
    const { rows, problems } = collectRows(new Map([...next].map(([path, k]) => [path, k.kept])));
    const tables = state.store.snapshot().tables;
    const changes = TABLE_KINDS.map((k) => {
      const table: ClusterTable = k.table;
      return [table, rowChanges(tables[table].keys(), rows.get(table) ?? new Map())] as const;
    });
    state.clearProblems(() => false);
    for (const p of problems) state.problem(p.subject, p);
    report(problems);
    state.changeAll(new Map(changes));
    for (const { table } of TABLE_KINDS) {
      state.setLive(table, true);
      state.heard(table, 0);
      state.setSynced(table);
    }
    // After the tables are live: being live takes back the last failure.
    if (scan.isTruncated) state.failed(`Cannot look at all files of "${root}": there are too many`);
  };
}

/** Something that can be waited for again and again; a signal that nobody waits for is remembered once. */
function createBell() {
  let ring = () => {};
  let isRung = false;
  return {
    ring() {
      isRung = true;
      ring();
    },
    /** Resolves when rung, after `ms`, or at the signal. */
    async wait(ms: number, signal: AbortSignal): Promise<void> {
      if (!isRung && !signal.aborted) {
        const timer = new AbortController();
        const rung = new Promise<void>((resolve) => {
          ring = resolve;
        });
        await Promise.race([
          rung,
          sleep(ms, undefined, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => {}),
        ]);
        timer.abort();
      }
      isRung = false;
    },
  };
}

function readOnly(what: string): Promise<never> {
  const message = `Cannot ${what}: objects come from a directory, which is only read`;
  return Promise.reject(new ClusterError(message, "ReadOnly", 0));
}

/** A source over a directory. */
export function createDirectorySource(options: DirectorySourceOptions): ClusterSource {
  const root = resolve(options.path);
  const state = createSourceState();
  const onFailure = options.onFailure ?? (() => {});
  const read = createDirectoryReader(root, state, onFailure);
  const { rescanMs = 10_000, settleMs = 50 } = options;

  /** @returns whether the directory could be read */
  async function look(): Promise<boolean> {
    try {
      await read();
      return true;
    } catch (error) {
      for (const { table } of TABLE_KINDS) state.setLive(table, false);
      state.failed(`Cannot read directory "${root}": ${(error as Error).message}`);
      onFailure(error, root);
      return false;
    }
  }

  function listen(ring: () => void): { close(): void } | undefined {
    try {
      const watcher = watch(root, { recursive: true, persistent: false }, ring);
      // A directory that went away is found out by the next look.
      watcher.on("error", ring);
      return watcher;
    } catch {
      return undefined;
    }
  }

  return {
    description: `dir:${root}`,
    async run(signal) {
      const bell = createBell();
      let watcher: { close(): void } | undefined;
      let watched = "";
      const isSame = setInterval(() => {
        if (identityOf(root) !== watched) bell.ring();
      }, SAME_MS);
      isSame.unref();
      try {
        while (!signal.aborted) {
          const now = identityOf(root);
          if (now !== watched) {
            watcher?.close();
            watcher = undefined;
          }
          watched = now;
          // The ear first: a change during the look must not be missed.
          watcher ??= listen(bell.ring);
          if (!(await look())) {
            watcher?.close();
            watcher = undefined;
          }
          await bell.wait(rescanMs, signal);
          await sleep(settleMs, undefined, { signal }).catch(() => {});
        }
      } finally {
        clearInterval(isSame);
        watcher?.close();
        for (const { table } of TABLE_KINDS) state.setLive(table, false);
      }
    },
    snapshot: () => state.store.snapshot(),
    onChange: (listener) => state.onChange(listener),
    // All kinds that the files hold are read.
    want: () => {},
    stateOf: (table) => state.stateOf(table),
    isSynced: () => state.isSynced(),
    whenSynced: (signal) => state.whenSynced(signal),
    reports: state.reports,
    health: () => state.health(),
    patchNodeAnnotations: (node) => readOnly(`annotate node "${node}"`),
    removeNodeTaint: (node) => readOnly(`take a taint from node "${node}"`),
    patchNodeConditions: (node) => readOnly(`set conditions of node "${node}"`),
  };
}
