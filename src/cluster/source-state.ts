/** What all cluster sources keep: the tables, what could not be read, how each table is being followed, who listens. */

import { setMaxListeners } from "node:events";
import type { Interner } from "../model/intern.ts";
import { createInterner } from "../model/intern.ts";
import { podKey } from "../model/pod.ts";
import { createStore, type Store } from "../store/store.ts";
import type { RowChange } from "../store/table.ts";
import { createReports, type Reports } from "./reports.ts";
import type { ClusterRows, ClusterTable, ObjectProblem, SourceHealth, TableHealth, TableState } from "./source.ts";
import { type AnyRow, isSameRow, TABLE_KINDS, TABLE_NAMES, type TableKind } from "./tables.ts";

/** Problems shown; all are counted. */
const MAX_PROBLEMS_SHOWN = 100;
/** Problems kept. Beyond, an object that cannot be read is counted only. */
const MAX_PROBLEMS_KEPT = 10_000;

interface Live {
  /** Not waited for, and not part of what a source without it could still be called synced by. */
  readonly isOnDemand: boolean;
  isSynced: boolean;
  unavailable: { readonly state: "absent" | "forbidden"; readonly reason: string } | undefined;
  isLive: boolean;
  lastHeardMs: number | undefined;
  /** Since when it is not live. */
  deafSinceMs: number;
  lists: number;
  events: number;
}

/** Shared state of a source. */
export interface SourceState {
  readonly store: Store<ClusterRows>;
  readonly interner: Interner;
  readonly reports: Reports;
  /** Changes rows of a table; rows that say the same as before are left alone. */
  change(table: ClusterTable, changes: Iterable<RowChange<AnyRow>>): void;
  /** Changes rows of several tables at once. */
  changeAll(changes: ReadonlyMap<ClusterTable, Iterable<RowChange<AnyRow>>>): void;
  problem(subject: string, problem: ObjectProblem): void;
  noProblem(subject: string): void;
  clearProblems(keep: (problem: ObjectProblem) => boolean): void;
  heard(table: ClusterTable, events: number): void;
  setLive(table: ClusterTable, isLive: boolean): void;
  /** A list is complete. */
  setSynced(table: ClusterTable): void;
  /** Nobody serves the table, or not to us: it is not waited for. */
  setUnavailable(table: ClusterTable, state: "absent" | "forbidden", reason: string): void;
  /** Follows one more table. @returns false: it is followed already */
  add(table: ClusterTable): boolean;
  stateOf(table: ClusterTable): TableState;
  failed(message: string): void;
  isSynced(): boolean;
  whenSynced(signal: AbortSignal): Promise<void>;
  onChange(listener: () => void): () => void;
  health(): SourceHealth;
}

/** Resolves when a condition holds that is looked at whenever the listeners are told. @throws the signal's reason */
function waitUntil(holds: () => boolean, listeners: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (holds()) return resolve();
    if (signal.aborted) return reject(signal.reason);
    // Many may wait on the one signal of a process.
    setMaxListeners(0, signal);
    const check = () => {
      if (!holds()) return;
      listeners.delete(check);
      signal.removeEventListener("abort", abort);
      resolve();
    };
    const abort = () => {
      listeners.delete(check);
      reject(signal.reason);
    };
    listeners.add(check);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** The problems of a source, bounded. */
function createProblems() {
  const kept = new Map<string, ObjectProblem>();
  let uncounted = 0;
  return {
    set(subject: string, problem: ObjectProblem): void {
      if (kept.size < MAX_PROBLEMS_KEPT || kept.has(subject)) kept.set(subject, problem);
      else uncounted++;
    },
    delete: (subject: string): boolean => kept.delete(subject),
    clear(keep: (problem: ObjectProblem) => boolean): void {
      for (const [subject, p] of kept) if (!keep(p)) kept.delete(subject);
      uncounted = 0;
    },
    shown: (): readonly ObjectProblem[] => [...kept.values()].slice(0, MAX_PROBLEMS_SHOWN),
    count: (): number => kept.size + uncounted,
  };
}

function newLive(isOnDemand: boolean, nowMs: number): Live {
  return {
    isOnDemand,
    isSynced: false,
    unavailable: undefined,
    isLive: false,
    lastHeardMs: undefined,
    deafSinceMs: nowMs,
    lists: 0,
    events: 0,
  };
}

function stateOfLive(l: Live | undefined): TableState {
  return l?.unavailable?.state ?? (l?.isSynced === true ? "known" : "waiting");
}

function tableHealth(live: ReadonlyMap<ClusterTable, Live>): TableHealth[] {
  return [...live].map(([table, l]) => ({
    table,
    state: stateOfLive(l),
    reason: l.unavailable?.reason,
    isSynced: l.isSynced,
    isLive: l.isLive,
    lastHeardMs: l.lastHeardMs,
    lists: l.lists,
    events: l.events,
  }));
}

/** Changes that differ from what is there. The last change of a key decides, not the ones before it. */
function differing(store: Store<ClusterRows>, table: ClusterTable, changes: Iterable<RowChange<AnyRow>>) {
  const current = store.snapshot().tables[table];
  const last = new Map(Array.from(changes, (c) => [c.key, c]));
  return [...last.values()].filter(({ key, row }) => !isSameRow(current.get(key), row));
}

/** One that knows the rows that are there. */
function internerBeside(store: Store<ClusterRows>): Interner {
  return createInterner(undefined, (ns, name) => store.snapshot().tables.pods.get(podKey(ns, name))?.podIps ?? []);
}

/** The state of a source that has not begun. @param nowMs Unix time @param kinds tables that are followed */
export function createSourceState(
  nowMs: () => number = Date.now,
  kinds: readonly TableKind[] = TABLE_KINDS,
): SourceState {
  const store = createStore<ClusterRows>(TABLE_NAMES);
  const problems = createProblems();
  const listeners = new Set<() => void>();
  const live = new Map<ClusterTable, Live>(kinds.map((k) => [k.table, newLive(false, nowMs())]));
  let lastError: SourceHealth["lastError"];

  const of = (table: ClusterTable): Live => live.get(table) as Live;
  const isSynced = () => [...live.values()].every((l) => l.isOnDemand || stateOfLive(l) !== "waiting");
  /** Those that there is something to be heard of. */
  const followed = () => [...live.values()].filter((l) => l.unavailable === undefined);
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  store.onChange(tell);

  function changeAll(changes: ReadonlyMap<ClusterTable, Iterable<RowChange<AnyRow>>>): void {
    const all = [...changes].map(([table, rows]) => [table, differing(store, table, rows)] as const);
    store.transact(Object.fromEntries(all.filter(([, rows]) => rows.length > 0)));
  }

  return {
    store,
    interner: internerBeside(store),
    reports: createReports(),
    changeAll,
    change: (table, changes) => changeAll(new Map([[table, changes]])),
    problem: problems.set,
    // What could not be read may have had no row, whose end or change would be told.
    noProblem: (subject) => void (problems.delete(subject) && tell()),
    clearProblems: problems.clear,
    heard(table, events) {
      const l = of(table);
      l.lastHeardMs = nowMs();
      l.events += events;
    },
    setLive(table, isLive) {
      const l = of(table);
      if (l.isLive && !isLive) l.deafSinceMs = nowMs();
      l.isLive = isLive;
      if (followed().every((x) => x.isLive)) lastError = undefined;
    },
    setSynced(table) {
      const l = of(table);
      l.lists++;
      const before = stateOfLive(l);
      l.isSynced = true;
      l.unavailable = undefined;
      if (before !== "known") tell();
    },
    setUnavailable(table, state, reason) {
      const l = of(table);
      const before = stateOfLive(l);
      l.unavailable = { state, reason };
      if (before !== state) tell();
    },
    add(table) {
      if (live.has(table)) return false;
      live.set(table, newLive(true, nowMs()));
      return true;
    },
    stateOf: (table) => stateOfLive(live.get(table)),
    failed(message) {
      lastError = { message, atMs: nowMs() };
    },
    isSynced,
    whenSynced: (signal) => waitUntil(isSynced, listeners, signal),
    onChange(listener) {
      const own = () => listener();
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    health() {
      const now = nowMs();
      const deaf = followed()
        .filter((l) => !l.isLive)
        .map((l) => now - l.deafSinceMs);
      return {
        isSynced: isSynced(),
        isLive: deaf.length === 0,
        lagMs: Math.max(0, ...deaf),
        lastError,
        tables: tableHealth(live),
        problems: problems.shown(),
        problemCount: problems.count(),
      };
    },
  };
}
