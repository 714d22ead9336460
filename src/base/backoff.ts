/** Growing pauses between attempts. */

/** Bounds of the pauses. */
export interface Backoff {
  /** Pause after the first failure, milliseconds. */
  readonly firstMs: number;
  /** Longest pause, milliseconds. */
  readonly maxMs: number;
}

/**
 * Pause after a number of failures in a row: doubled each time up to the longest.
 * @param failures 1 … for the first failure and so on
 */
export function backoffMs(b: Backoff, failures: number): number {
  return Math.min(b.maxMs, b.firstMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
}
