/** Puts what a list and watch brings into one table. */

import type { RowChange } from "../../store/table.ts";
import type { SourceState } from "../source-state.ts";
import { type AnyRow, keyOfRaw, subjectOf, type TableKind } from "../tables.ts";
import type { ListWatchSink } from "./list-watch-types.ts";

/** A sink for one table. JSON is read at once and never kept. */
export function createTableSink(
  kind: TableKind,
  state: SourceState,
  onFailure: (error: unknown, kind: TableKind) => void,
): ListWatchSink {
  const { table } = kind;
  /** Rows of the list that is being read; undefined values are objects that could not be read. */
  let listing = new Map<string, AnyRow | undefined>();

  const subject = (key: string) => subjectOf(kind, key);

  function read(object: unknown): { readonly key: string; readonly row: AnyRow | undefined } {
    const parsed = kind.parse(object, state.interner);
    if (parsed.ok) {
      const key = kind.keyOf(parsed.value);
      state.noProblem(subject(key));
      return { key, row: parsed.value };
    }
    const key = keyOfRaw(kind, object);
    state.problem(subject(key), { table, key, subject: subject(key), issues: parsed.error });
    return { key, row: undefined };
  }

  return {
    listBegins() {
      listing = new Map();
    },
    listed(objects) {
      for (const object of objects) {
        const { key, row } = read(object);
        listing.set(key, row);
      }
    },
    listEnds() {
      const current = state.store.snapshot().tables[table];
      const changes: RowChange<AnyRow>[] = [];
      for (const key of current.keys()) if (!listing.has(key)) changes.push({ key, row: undefined });
      // An object that cannot be read keeps its last good row.
      for (const [key, row] of listing) if (row !== undefined) changes.push({ key, row });
      const listed = listing;
      listing = new Map();
      state.clearProblems((p) => p.table !== table || (p.key !== undefined && listed.has(p.key)));
      state.change(table, changes);
      state.setSynced(table);
    },
    changed(events) {
      const changes: RowChange<AnyRow>[] = [];
      for (const { type, object } of events) {
        if (type === "DELETED") {
          const key = keyOfRaw(kind, object);
          state.noProblem(subject(key));
          changes.push({ key, row: undefined });
          continue;
        }
        const { key, row } = read(object);
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
