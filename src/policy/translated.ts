/** A table of the cluster as rules: each object is translated once, and what has not changed is not looked at again. */

import type { RowDifference } from "../store/table.ts";
import { type ListChanges, noteListChanges } from "./list-changes.ts";
import { type List, Pieces } from "./pieces.ts";
import type { Policy } from "./rule.ts";

/** A table of the cluster. The same object as long as no row of it has changed. */
export interface ObjectTable<Row> extends Iterable<Row> {
  get(key: string): Row | undefined;
  readonly size: number;
  /** See {@link Table.changesSince}. A table that cannot say it is read in full. */
  changesSince?(before: ObjectTable<Row> | undefined): Iterable<RowDifference<Row>>;
}

/** Gives the policies of a table. The same list as long as the table and the context are the same. */
export type Translation<Row, Context> = (table: ObjectTable<Row>, context: Context) => List<Policy>;

/** Tells what a translation rests on beside the row and the context. `isStill` says whether that is as it was. */
export type RestsOn = (isStill: () => boolean) => void;

const NO_CHANGES: ListChanges<Policy> = { added: [], removed: [] };

/** As many are taken out one by one: of more, each of the list is asked. */
const FEW = 8;

/** What is new stands at the end. */
function changedList(list: Pieces<Policy>, changes: ListChanges<Policy>): Pieces<Policy> {
  const { added, removed } = changes;
  if (added.length === 0 && removed.length === 0) return list;
  let next = list;
  if (removed.length > FEW) {
    const gone = new Set(removed);
    next = Pieces.of([...list].filter((p) => !gone.has(p)));
  } else for (const policy of removed) next = next.minus(policy);
  for (const policy of added) next = next.plus(policy);
  return noteListChanges(list, next, changes);
}

/**
 * @param translate the same policies for the same row and context, as long as what it rests on is the same
 * @param groundsAt another number whenever something that translations rest on may be another
 */
export function createTranslation<Row extends object, Context>(
  translate: (row: Row, context: Context, restsOn: RestsOn) => readonly Policy[],
  groundsAt: () => number = () => 0,
): Translation<Row, Context> {
  let known = new Map<Row, readonly Policy[]>();
  const grounds = new Map<Row, (() => boolean)[]>();
  let last: { readonly table: ObjectTable<Row>; readonly context: Context } | undefined;
  let policies = Pieces.of<Policy>([]);
  let lastGrounds = groundsAt();

  function translated(row: Row, context: Context): readonly Policy[] {
    const own: (() => boolean)[] = [];
    const made = translate(row, context, (isStill) => own.push(isStill));
    if (own.length > 0) grounds.set(row, own);
    else grounds.delete(row);
    return made;
  }

  /** Those rows anew whose grounds have changed. @returns whether there were any */
  function renew(context: Context): boolean {
    const now = groundsAt();
    if (now === lastGrounds) return false;
    lastGrounds = now;
    const gone = [...grounds].filter(([, own]) => !own.every((isStill) => isStill())).map(([row]) => row);
    for (const row of gone) known.set(row, translated(row, context));
    return gone.length > 0;
  }

  /** Follows the table from the last one. undefined: it cannot say what is different. */
  function follow(table: ObjectTable<Row>, context: Context): ListChanges<Policy> | undefined {
    if (last === undefined || last.context !== context || !last.table.changesSince || !table.changesSince)
      return undefined;
    const changes = { added: [] as Policy[], removed: [] as Policy[] };
    for (const { before, after } of table.changesSince(last.table)) {
      if (before !== undefined) {
        changes.removed.push(...(known.get(before) ?? []));
        known.delete(before);
        grounds.delete(before);
      }
      if (after === undefined) continue;
      const made = translated(after, context);
      known.set(after, made);
      changes.added.push(...made);
    }
    return changes;
  }

  /** Reads all of the table. */
  function readAll(table: ObjectTable<Row>, context: Context): void {
    const before = last?.context === context ? known : undefined;
    known = new Map();
    for (const row of table) known.set(row, before?.get(row) ?? translated(row, context));
    for (const row of grounds.keys()) if (!known.has(row)) grounds.delete(row);
  }

  return (table, context) => {
    const isSame = last?.table === table && last.context === context;
    const changes = isSame ? NO_CHANGES : follow(table, context);
    if (changes === undefined) readAll(table, context);
    last = { table, context };
    if (renew(context) || changes === undefined) policies = Pieces.of([...known.values()].flat());
    else policies = changedList(policies, changes);
    return policies;
  };
}
