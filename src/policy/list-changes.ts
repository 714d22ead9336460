/** What is different between two lists that came from each other by a few changes. */

/** Elements of one list that the other has not, in their order. */
export interface ListChanges<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
}

const NOTHING: ListChanges<never> = { added: [], removed: [] };

/**
 * Elements are compared by identity. What both lists begin and end with is passed over, so that one change in ten
 * thousand costs as many comparisons and nothing else.
 */
export function listChanges<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before === after) return NOTHING;
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
