/** What is different between two lists that came from each other by a few changes. */

import type { List } from "./pieces.ts";

/** Elements of one list that the other has not, in their order. */
export interface ListChanges<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
}

const NOTHING: ListChanges<never> = { added: [], removed: [] };

/** What became of the list that another was made of. */
const noted = new WeakMap<object, { readonly before: object; readonly changes: ListChanges<unknown> }>();

/**
 * Says what is different between two lists, so that nobody has to compare them: they are not to be changed any more.
 * @returns the second
 */
export function noteListChanges<T, L extends List<T>>(before: List<T>, after: L, changes: ListChanges<T>): L {
  // Or each list would keep all that were before it.
  noted.delete(before);
  noted.set(after, { before, changes });
  return after;
}

/**
 * Elements are compared by identity, unless somebody has noted what is different. What both lists begin and end with is passed over, so that one change in ten
 * thousand costs as many comparisons and nothing else.
 */
export function listChanges<T>(before: List<T>, after: List<T>): ListChanges<T> {
  if (before === after) return NOTHING;
  const known = noted.get(after);
  if (known?.before === before) return known.changes as ListChanges<T>;
  return compared([...before], [...after]);
}

function compared<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const old = before.slice(start, before.length - end);
  const now = after.slice(start, after.length - end);
  if (old.length === 0 || now.length === 0) return { added: now, removed: old };
  const [inOld, inNow] = [new Set(old), new Set(now)];
  return { added: now.filter((x) => !inOld.has(x)), removed: old.filter((x) => !inNow.has(x)) };
}
