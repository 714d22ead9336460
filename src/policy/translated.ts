/** A table of the cluster as rules: each object is translated once, and what has not changed is not looked at again. */

import type { RowDifference } from "../store/table.ts";
import type { Policy } from "./rule.ts";

/** A table of the cluster. The same object as long as no row of it has changed. */
export interface ObjectTable<Row> extends Iterable<Row> {
  get(key: string): Row | undefined;
  readonly size: number;
  /** See {@link Table.changesSince}. A table that cannot say it is read in full. */
  changesSince?(before: ObjectTable<Row> | undefined): Iterable<RowDifference<Row>>;
}

/** Gives the policies of a table. The same list as long as the table and the context are the same. */
export type Translation<Row, Context> = (table: ObjectTable<Row>, context: Context) => readonly Policy[];

/** @param translate the same policies for the same row and context */
export function createTranslation<Row extends object, Context>(
  translate: (row: Row, context: Context) => readonly Policy[],
): Translation<Row, Context> {
  let known = new Map<Row, readonly Policy[]>();
  let last: { readonly table: ObjectTable<Row>; readonly context: Context } | undefined;
  let policies: readonly Policy[] = [];

  /** Follows the table from the last one, if it can say what is different. */
  function follow(table: ObjectTable<Row>, context: Context): boolean {
    if (last === undefined || last.context !== context || !last.table.changesSince || !table.changesSince) return false;
    for (const { before, after } of table.changesSince(last.table)) {
      if (before !== undefined) known.delete(before);
      if (after !== undefined) known.set(after, translate(after, context));
    }
    return true;
  }

  return (table, context) => {
    if (last?.table === table && last.context === context) return policies;
    if (!follow(table, context)) {
      const before = last?.context === context ? known : undefined;
      known = new Map();
      for (const row of table) known.set(row, before?.get(row) ?? translate(row, context));
    }
    last = { table, context };
    policies = [...known.values()].flat();
    return policies;
  };
}
