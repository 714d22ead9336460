/** What is not as it should be, row by row: a query over state, never a search through a log. */

/** State of a wanted row. Rows that are done keep no status of their own: they are counted. */
export interface RowStatus {
  /** `pending`: not written yet, its time to try again has not come or a predecessor failed. */
  readonly state: "pending" | "error";
  /** The row in an operator's words. */
  readonly row: string;
  /** Why it is not done. */
  readonly message: string;
  /** Wall clock of the first failure in this series, milliseconds. */
  readonly sinceMs: number;
  /** Failures in a row. */
  readonly failures: number;
  /** Wall clock before which it is not tried again, milliseconds. */
  readonly retryAtMs: number;
}

/** State of a table after a run. */
export interface TableStatus {
  readonly table: string;
  readonly wanted: number;
  readonly done: number;
  /** Rows that are not done, at most {@link MAX_ROWS}. */
  readonly rows: readonly RowStatus[];
  /** All rows that are not done. */
  readonly failing: number;
  /** Why the table could not even be looked at. */
  readonly problem: string | undefined;
}

/** Most rows that a table's status names. */
export const MAX_ROWS = 50;

/** What one run did. */
export interface RunReport {
  readonly tables: readonly TableStatus[];
  /** Kernel rows written or removed. 0: everything was right already. */
  readonly writes: number;
  /** Of those, rows that had been right after the last run: somebody else changed them. */
  readonly drifted: number;
  readonly failing: number;
  /** Wall clock of the next attempt at a failed row, milliseconds; undefined: nothing failed. */
  readonly retryAtMs: number | undefined;
}
