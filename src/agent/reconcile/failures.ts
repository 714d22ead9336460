/** Rows that could not be written or removed, and when each may be tried again. */

import { type Backoff, backoffMs } from "../../base/backoff.ts";
import type { RowStatus } from "./status.ts";

/** Pauses between attempts at one row. */
const RETRY: Backoff = { firstMs: 200, maxMs: 30_000 };

/** Text of anything that was thrown. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Failures by the row's key. */
export class Failures {
  readonly #byKey = new Map<string, RowStatus>();

  /** Remembers one more failure of a row. @returns its message */
  add(key: string, row: string, cause: unknown, nowMs: number): string {
    const before = this.#byKey.get(key);
    const failures = (before?.failures ?? 0) + 1;
    const message = messageOf(cause);
    this.#byKey.set(key, {
      state: "error",
      row,
      message,
      sinceMs: before?.sinceMs ?? nowMs,
      failures,
      retryAtMs: nowMs + backoffMs(RETRY, failures),
    });
    return message;
  }

  clear(key: string): void {
    this.#byKey.delete(key);
  }

  /** Forgets rows that nobody speaks of any more. */
  keepOnly(isKept: (key: string) => boolean): void {
    for (const key of this.#byKey.keys()) if (!isKept(key)) this.#byKey.delete(key);
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Whether a row may be tried now. */
  isDue(key: string, nowMs: number): boolean {
    return (this.#byKey.get(key)?.retryAtMs ?? 0) <= nowMs;
  }

  get size(): number {
    return this.#byKey.size;
  }

  rows(): readonly RowStatus[] {
    return [...this.#byKey.values()];
  }

  /** Wall clock of the next attempt, milliseconds; undefined: nothing failed. */
  nextMs(): number | undefined {
    return this.size === 0 ? undefined : Math.min(...this.rows().map((r) => r.retryAtMs));
  }
}
