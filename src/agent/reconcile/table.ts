/**
 * The one contract between the reconciler and everything that it keeps right: a table of wanted rows beside what the
 * kernel shows. Nothing is ever added or removed because of an event; both sides are compared, the difference is written.
 */

import type { RowKind } from "../../plan/diff.ts";

/** One kind of kernel thing. `D`: wanted rows, `O`: rows as observed. */
export interface Table<D, O> {
  /** For status, metrics and log: `links`, `map/ipcache`, … */
  readonly name: string;
  readonly kind: RowKind<D, O>;
  /** All rows of Twill's that exist, and those of others only where a wanted row speaks of the same thing. */
  observe(): readonly O[];
  /** Makes rows what is wanted, in order. Throws when one cannot be. May be given a row that is there already. */
  put(rows: readonly D[]): void;
  /** Removes rows; one that is gone already is no failure. Undefined: rows of this table are never removed. */
  readonly remove: ((rows: readonly O[]) => void) | undefined;
  /** Words for a row, as an operator would type them. */
  print(row: D): string;
  /** Whether many rows may go in one call; when such a call fails the rows are tried one by one. */
  readonly isBatched: boolean;
}
