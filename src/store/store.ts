/**
 * Several tables that change together, with a revision that counts the changes.
 *
 * Readers take a snapshot (a reference, never a copy) and compute from it. Who wants increments keeps the snapshot that it has seen and
 * asks the new one's tables what differs: see {@link Table.changesSince}.
 */

import { emptyTable, type RowChange, type Table } from "./table.ts";

/** All tables as they were at one revision. `Rows` maps a table's name to the type of its rows. */
export interface Snapshot<Rows extends object> {
  /** Counts transactions that changed something; 0 is the empty store. */
  readonly revision: number;
  readonly tables: { readonly [K in keyof Rows]: Table<Rows[K]> };
}

/** Row changes by table, made as one transaction. */
export type Transaction<Rows extends object> = {
  readonly [K in keyof Rows]?: Iterable<RowChange<Rows[K]>>;
};

/** The tables and those who wait for their changes. */
export interface Store<Rows extends object> {
  snapshot(): Snapshot<Rows>;
  /** Makes all changes at once and tells the listeners once; nothing happens when nothing differs. */
  transact(changes: Transaction<Rows>): Snapshot<Rows>;
  /**
   * Calls after each transaction that changed something. The call carries nothing and is never queued: a listener
   * marks itself as behind and reads the snapshot when it likes. It must not throw.
   * @returns removes the listener
   */
  onChange(listener: () => void): () => void;
}

/** An empty store with the named tables. */
export function createStore<Rows extends object>(names: readonly (keyof Rows)[]): Store<Rows> {
  let current: Snapshot<Rows> = {
    revision: 0,
    tables: Object.fromEntries(names.map((n) => [n, emptyTable()])) as unknown as Snapshot<Rows>["tables"],
  };
  const listeners = new Set<() => void>();

  function changed<K extends keyof Rows>(name: K, rows: Iterable<RowChange<Rows[K]>>): Table<Rows[K]> | undefined {
    const before = current.tables[name];
    const after = before.with(rows);
    return after === before ? undefined : after;
  }

  return {
    snapshot: () => current,
    transact(transaction) {
      const tables: Partial<Record<keyof Rows, unknown>> = {};
      for (const name of names) {
        const rows = transaction[name];
        const after = rows === undefined ? undefined : changed(name, rows);
        if (after !== undefined) tables[name] = after;
      }
      if (Object.keys(tables).length === 0) return current;
      current = { revision: current.revision + 1, tables: { ...current.tables, ...tables } };
      for (const listener of [...listeners]) listener();
      return current;
    },
    onChange(listener) {
      // Wrapped, so that the same function added twice is two listeners.
      const own = () => listener();
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
