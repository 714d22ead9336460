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

/** Tells what a translation rests on beside the row and the context. `isStill` says whether that is as it was. */
export type RestsOn = (isStill: () => boolean) => void;

/** @param translate the same policies for the same row and context, as long as what it rests on is the same */
export function createTranslation<Row extends object, Context>(
  translate: (row: Row, context: Context, restsOn: RestsOn) => readonly Policy[],
): Translation<Row, Context> {
  let known = new Map<Row, readonly Policy[]>();
  const grounds = new Map<Row, (() => boolean)[]>();
  let last: { readonly table: ObjectTable<Row>; readonly context: Context } | undefined;
  let policies: readonly Policy[] = [];

  function translated(row: Row, context: Context): readonly Policy[] {
    const own: (() => boolean)[] = [];
    const made = translate(row, context, (isStill) => own.push(isStill));
    if (own.length > 0) grounds.set(row, own);
    else grounds.delete(row);
    return made;
  }

  /** Those rows anew whose grounds have changed. @returns whether there were any */
  function renew(context: Context): boolean {
    const gone = [...grounds].filter(([, own]) => !own.every((isStill) => isStill())).map(([row]) => row);
    for (const row of gone) known.set(row, translated(row, context));
    return gone.length > 0;
  }

  /** Follows the table from the last one, if it can say what is different. */
  function follow(table: ObjectTable<Row>, context: Context): boolean {
    if (last === undefined || last.context !== context || !last.table.changesSince || !table.changesSince) return false;
    for (const { before, after } of table.changesSince(last.table)) {
      if (before !== undefined) known.delete(before);
      if (before !== undefined) grounds.delete(before);
      if (after !== undefined) known.set(after, translated(after, context));
    }
    return true;
  }

  return (table, context) => {
    if (last?.table === table && last.context === context) {
      if (renew(context)) policies = [...known.values()].flat();
      return policies;
    }
    if (!follow(table, context)) {
      const before = last?.context === context ? known : undefined;
      known = new Map();
      for (const row of table) known.set(row, before?.get(row) ?? translated(row, context));
      for (const row of grounds.keys()) if (!known.has(row)) grounds.delete(row);
    }
    renew(context);
    last = { table, context };
    policies = [...known.values()].flat();
    return policies;
  };
}
