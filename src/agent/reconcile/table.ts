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
  /** Makes a row what is wanted; one that is there already is written again without harm. */
  put(row: D): void;
  /** Removes a row; one that is gone already is no failure. Undefined: rows of this table are never removed. */
  readonly remove: ((row: O) => void) | undefined;
  /** Rows that nobody wants and that stay all the same: somebody else removes them. */
  isKept?(row: O): boolean;
  /**
   * Reading all of it takes long: done in full runs, after failures, and when the wanted rows have changed. They have when
   * they are another array than in the last run, or, with a `fingerprint`, when that is another one.
   */
  readonly isCostly?: boolean;
  /** Differs when the wanted rows, or what they stand on, differ. */
  fingerprint?(rows: readonly D[]): string;
  /** Words for a row, as an operator would type them. */
  print(row: D): string;
  /** Many rows in one call. When such a call fails, the rows are tried one by one. */
  readonly batch?: {
    put(rows: readonly D[]): void;
    remove(rows: readonly O[]): void;
  };
}
