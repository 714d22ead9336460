/** The difference between what is wanted and what the kernel shows. */

/** How the rows of one table are told apart and compared. `D`: wanted rows, `O`: rows as observed. */
export interface RowKind<D, O> {
  desiredKey(row: D): string;
  observedKey(row: O): string;
  /** Whether the kernel's row needs no write to be what is wanted. */
  matches(desired: D, observed: O): boolean;
}

/** What would have to be done. Rows keep the order of their inputs. */
export interface RowDiff<D, O> {
  /** Missing, or different. */
  readonly put: readonly D[];
  /** There, but not wanted. */
  readonly remove: readonly O[];
  /** Wanted and right already. */
  readonly same: readonly D[];
}

/** Compares two sets of rows. When two wanted rows have one key the later one counts. */
export function diffRows<D, O>(kind: RowKind<D, O>, desired: readonly D[], observed: readonly O[]): RowDiff<D, O> {
  const wanted = new Map(desired.map((row) => [kind.desiredKey(row), row]));
  const present = new Map(observed.map((row) => [kind.observedKey(row), row]));
  const put: D[] = [];
  const same: D[] = [];
  for (const [key, row] of wanted) {
    const now = present.get(key);
    (now !== undefined && kind.matches(row, now) ? same : put).push(row);
  }
  const remove: O[] = [];
  for (const [key, row] of present) if (!wanted.has(key)) remove.push(row);
  return { put, remove, same };
}
