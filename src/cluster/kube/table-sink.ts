/** Puts what a list and watch brings into one table. */

import type { Issue } from "../../base/issue.ts";
import type { RowChange } from "../../store/table.ts";
import { closedRow } from "../closed-object.ts";
import { readReport } from "../reports.ts";
import type { SourceState } from "../source-state.ts";
import { type AnyRow, hasStatus, keyOfRaw, subjectOf, type TableKind } from "../tables.ts";
import type { ListWatchSink } from "./list-watch-types.ts";

const NO_ISSUES: readonly Issue[] = [];

/** Reads objects of one table into rows, and keeps what is said of them beside their rows. */
function createRowReader(kind: TableKind, state: SourceState) {
  const { table } = kind;
  /** Keys whose row is no version of the object, but what stands for one that is refused. */
  const closed = new Set<string>();
  let collection = kind.collections[0].path;
  const isReported = hasStatus(kind);

  const subject = (key: string) => subjectOf(kind, key);

  function report(object: unknown, key: string, issues: readonly Issue[]): void {
    if (!isReported) return;
    const { isNamespaced } = kind;
    const found = readReport(object, { table, key, collection, isNamespaced }, issues);
    if (found !== undefined) state.reports.put(found);
  }

  /** @param isThere whether the table has a row of the key by then */
  function read(
    object: unknown,
    isThere: (key: string) => boolean,
  ): { readonly key: string; readonly row: AnyRow | undefined } {
    const parsed = kind.parse(object, state.interner);
    report(object, parsed.ok ? kind.keyOf(parsed.value) : keyOfRaw(kind, object), parsed.ok ? NO_ISSUES : parsed.error);
    if (parsed.ok) {
      const key = kind.keyOf(parsed.value);
      state.noProblem(subject(key));
      closed.delete(key);
      return { key, row: parsed.value };
    }
    const key = keyOfRaw(kind, object);
    state.problem(subject(key), { table, key, subject: subject(key), issues: parsed.error });
    // Its last good row stays; where there is none, what closes takes its place.
    if (isThere(key) && !closed.has(key)) return { key, row: undefined };
    const row = closedRow(kind, object, state.interner);
    if (row !== undefined) closed.add(key);
    return { key, row };
  }

  return {
    subject,
    from: (path: string) => {
      collection = path;
    },
    read,
    /** The object is gone. */
    forget: (key: string) => closed.delete(key),
    isReported,
  };
}

/** A sink for one table. JSON is read at once and never kept. */
export function createTableSink(
  kind: TableKind,
  state: SourceState,
  onFailure: (error: unknown, kind: TableKind) => void,
): ListWatchSink {
  const { table } = kind;
  /** Rows of the list that is being read; undefined values are objects that could not be read. */
  let listing = new Map<string, AnyRow | undefined>();

  const { subject, from, read, forget, isReported } = createRowReader(kind, state);

  return {
    from,
    listBegins() {
      listing = new Map();
    },
    listed(objects) {
      for (const object of objects) {
        const { key, row } = read(object, (k) => state.store.snapshot().tables[table].has(k));
        listing.set(key, row);
      }
    },
    listEnds() {
      const current = state.store.snapshot().tables[table];
      const changes: RowChange<AnyRow>[] = [];
      for (const key of current.keys())
        if (!listing.has(key)) {
          forget(key);
          changes.push({ key, row: undefined });
        }
      // An object that cannot be read keeps its last good row.
      for (const [key, row] of listing) if (row !== undefined) changes.push({ key, row });
      const listed = listing;
      listing = new Map();
      if (isReported) state.reports.keep(table, listed);
      state.clearProblems((p) => p.table !== table || (p.key !== undefined && listed.has(p.key)));
      state.change(table, changes);
      state.setSynced(table);
    },
    changed(events) {
      const changes: RowChange<AnyRow>[] = [];
      const { [table]: before } = state.store.snapshot().tables;
      const isThere = (key: string) => {
        const last = changes.findLast((c) => c.key === key);
        return last === undefined ? before.has(key) : last.row !== undefined;
      };
      for (const { type, object } of events) {
        if (type === "DELETED") {
          const key = keyOfRaw(kind, object);
          state.noProblem(subject(key));
          state.reports.delete(table, key);
          forget(key);
          changes.push({ key, row: undefined });
          continue;
        }
        const { key, row } = read(object, isThere);
        if (row !== undefined) changes.push({ key, row });
      }
      state.heard(table, events.length);
      state.change(table, changes);
    },
    unavailable(why, reason) {
      if (state.stateOf(table) === why) return;
      if (why === "absent") {
        this.listBegins();
        this.listEnds();
      } else onFailure(new Error(reason), kind);
      state.setUnavailable(table, why, reason);
    },
    heard: () => state.heard(table, 0),
    live: (isLive) => state.setLive(table, isLive),
    failed(error) {
      state.failed(`${kind.kind}: ${(error as Error).message}`);
      onFailure(error, kind);
    },
  };
}
