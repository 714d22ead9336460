/**
 * Several tables that change together, with a revision that counts the changes.
 *
 * Readers take a snapshot (a reference, never a copy) and compute from it. Who wants increments asks for the changes
 * since a revision; the log of changes is bounded, and who is too far behind is told so and starts from the snapshot.
 */

import { emptyTable, type RowChange, type Table } from "./table.ts";

/** All tables as they were at one revision. `Rows` maps a table's name to the type of its rows. */
export interface Snapshot<Rows extends object> {
  /** Counts transactions that changed something; 0 is the empty store. */
  readonly revision: number;
  readonly tables: { readonly [K in keyof Rows]: Table<Rows[K]> };
}

/** What happened to one row. */
export type Change<Rows extends object> = {
  readonly [K in keyof Rows]: {
    readonly table: K;
    readonly key: string;
    readonly before: Rows[K] | undefined;
    readonly after: Rows[K] | undefined;
    readonly revision: number;
  };
}[keyof Rows];

/** Row changes by table, made as one transaction. */
export type Transaction<Rows extends object> = {
  readonly [K in keyof Rows]?: Iterable<RowChange<Rows[K]>>;
};

/** The tables and those who wait for their changes. */
export interface Store<Rows extends object> {
  snapshot(): Snapshot<Rows>;
  /** Makes all changes at once and tells the listeners once; nothing happens when nothing differs. */
  transact(changes: Transaction<Rows>): Snapshot<Rows>;
  /** Changes after `revision`, oldest first; undefined when the log no longer reaches back so far. */
  changesSince(revision: number): readonly Change<Rows>[] | undefined;
  /**
   * Calls after each transaction that changed something. The call carries nothing and is never queued: a listener
   * marks itself as behind and reads the snapshot when it likes. It must not throw.
   * @returns removes the listener
   */
  onChange(listener: () => void): () => void;
}

/** How much a store remembers. */
export interface StoreOptions {
  /** Row changes kept for {@link Store.changesSince}. */
  readonly maxLogEntries: number;
}

/** An empty store with the named tables. */
export function createStore<Rows extends object>(
  names: readonly (keyof Rows)[],
  options: StoreOptions = { maxLogEntries: 8192 },
): Store<Rows> {
  let current: Snapshot<Rows> = {
    revision: 0,
    tables: Object.fromEntries(names.map((n) => [n, emptyTable()])) as unknown as Snapshot<Rows>["tables"],
  };
  let log: Change<Rows>[] = [];
  // Changes with a revision up to this one may have left the log.
  let forgottenUpTo = 0;
  const listeners = new Set<() => void>();

  function remember(changes: readonly Change<Rows>[]): void {
    log.push(...changes);
    if (log.length <= 2 * options.maxLogEntries) return;
    // Cut in one go at twice the size, so that each entry is moved about once.
    forgottenUpTo = log[log.length - options.maxLogEntries - 1]?.revision ?? current.revision;
    log = log.filter((c) => c.revision > forgottenUpTo);
  }

  function apply<K extends keyof Rows>(name: K, rows: Iterable<RowChange<Rows[K]>>, revision: number) {
    const before = current.tables[name];
    const after = before.with(rows);
    if (after === before) return undefined;
    const changes: Change<Rows>[] = [];
    for (const key of new Set(Array.from(rows, (r) => r.key))) {
      const change = { table: name, key, before: before.get(key), after: after.get(key), revision };
      if (change.before !== change.after) changes.push(change as Change<Rows>);
    }
    return { after, changes };
  }

  return {
    snapshot: () => current,
    transact(transaction) {
      const tables: Partial<Record<keyof Rows, unknown>> = {};
      const changes: Change<Rows>[] = [];
      for (const name of names) {
        const rows = transaction[name];
        if (rows === undefined) continue;
        const done = apply(name, Array.isArray(rows) ? rows : [...rows], current.revision + 1);
        if (done === undefined) continue;
        tables[name] = done.after;
        for (const c of done.changes) changes.push(c);
      }
      if (changes.length === 0) return current;
      current = { revision: current.revision + 1, tables: { ...current.tables, ...tables } };
      remember(changes);
      for (const listener of [...listeners]) listener();
      return current;
    },
    changesSince(revision) {
      if (revision < forgottenUpTo || revision > current.revision) return undefined;
      // The log is ordered by revision: the first newer entry is found by halving.
      let low = 0;
      let high = log.length;
      while (low < high) {
        const mid = (low + high) >> 1;
        if ((log[mid]?.revision ?? 0) > revision) high = mid;
        else low = mid + 1;
      }
      return log.slice(low);
    },
    onChange(listener) {
      // Wrapped, so that the same function added twice is two listeners.
      const own = () => listener();
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
