/** Runs one table: compares, writes, remembers what failed and when to try again. */

import { hex } from "../../net/bytes-key.ts";
import { diffRows } from "../../plan/diff.ts";
import { Failures, messageOf } from "./failures.ts";
import { MAX_ROWS, type TableStatus } from "./status.ts";
import type { Table } from "./table.ts";

/** Told of every write, for log and metrics. */
export interface RunnerEvents {
  /** `isDrift`: the row had been right after the last run, so somebody else changed it. */
  wrote(table: string, action: "put" | "remove", row: string, isDrift: boolean): void;
  failed(table: string, row: string, message: string): void;
}

/** After a table could not even be looked at. */
const LOOK_AGAIN_MS = 1000;

/** Keys of map rows are raw bytes: shown as hexadecimal. */
function printable(key: string): string {
  return /^[\x20-\x7e]*$/.test(key) ? key : hex(Uint8Array.from(key, (c) => c.charCodeAt(0)));
}

/**
 * One table with its memory. Putting and removing are apart, so that a run can put into all tables before it removes
 * from any.
 */
export class TableRunner<D, O> {
  readonly #table: Table<D, O>;
  readonly #desired: () => readonly D[];
  readonly #events: RunnerEvents;
  readonly #failures = new Failures();
  readonly #removeFailures = new Failures();
  /** The rows that were right after the last run, by their keys. */
  #done = new Map<string, D>();
  /** Those that were right once and that somebody else changed, as long as putting them back fails. */
  #strayed = new Map<string, D>();
  #surplus: readonly O[] = [];
  #wanted = 0;
  /** The wanted rows that were all there at the end of the last run, or their fingerprint. */
  #settled: readonly D[] | string | undefined;
  #drifted = 0;
  #problem: string | undefined;
  #lookAgainMs = 0;

  /** @param desired the wanted rows, asked anew in each run */
  constructor(table: Table<D, O>, desired: () => readonly D[], events: RunnerEvents) {
    this.#table = table;
    this.#desired = desired;
    this.#events = events;
  }

  /**
   * Compares and writes what is missing.
   * @param isFull also where nothing is known to have changed, see {@link Table.isCostly}
   * @returns rows written
   */
  put(nowMs: number, isFull: boolean): number {
    const { kind, name, isCostly } = this.#table;
    this.#drifted = 0;
    this.#surplus = [];
    this.#problem = undefined;
    const desired = this.#desired();
    const mark = this.#table.fingerprint?.(desired) ?? desired;
    if (isCostly && !isFull && mark === this.#settled) return 0;
    this.#settled = undefined;
    this.#wanted = desired.length;
    let observed: readonly O[];
    try {
      observed = this.#table.observe();
    } catch (cause) {
      this.#problem = messageOf(cause);
      this.#lookAgainMs = nowMs + LOOK_AGAIN_MS;
      this.#events.failed(name, `observe ${name}`, this.#problem);
      return 0;
    }
    const diff = diffRows(kind, desired, observed);
    const rows = new Map(desired.map((row) => [kind.desiredKey(row), row]));
    this.#surplus = diff.remove.filter((row) => this.#table.isKept?.(row) !== true);
    const surplusKeys = new Set(this.#surplus.map((row) => kind.observedKey(row)));
    this.#failures.keepOnly((key) => rows.has(key));
    this.#removeFailures.keepOnly((key) => surplusKeys.has(key));
    for (const row of diff.same) this.#failures.clear(kind.desiredKey(row));
    const written = this.#putRows(
      diff.put.filter((row) => this.#failures.isDue(kind.desiredKey(row), nowMs)),
      nowMs,
    );
    const strayed = new Map<string, D>();
    for (const key of rows.keys()) {
      if (!this.#failures.has(key)) continue;
      const before = this.#lastRight(key);
      if (before !== undefined) strayed.set(key, before);
      rows.delete(key);
    }
    this.#done = rows;
    this.#strayed = strayed;
    if (this.#failures.size === 0 && this.#surplus.length === 0) this.#settled = mark;
    return written;
  }

  /** Removes what {@link put} found to be too much. @returns rows removed */
  remove(nowMs: number): number {
    const { kind, remove, batch } = this.#table;
    const rows = this.#surplus.filter((row) => this.#removeFailures.isDue(kind.observedKey(row), nowMs));
    this.#surplus = [];
    if (remove === undefined || rows.length === 0) return 0;
    if (batch !== undefined && rows.length > 1 && this.#tryAll(() => batch.remove(rows))) {
      for (const row of rows) this.#noteRemoved(row);
      return rows.length;
    }
    return rows.filter((row) => this.#removeOne(row, nowMs)).length;
  }

  /** Rows of the last run that had been right before and were not any more. */
  get drifted(): number {
    return this.#drifted;
  }

  /** Wall clock of the next attempt at what failed, milliseconds. */
  nextMs(): number | undefined {
    const lookAgainMs = this.#problem === undefined ? undefined : this.#lookAgainMs;
    const times = [this.#failures.nextMs(), this.#removeFailures.nextMs(), lookAgainMs].filter((t) => t !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  status(): TableStatus {
    const rows = [...this.#failures.rows(), ...this.#removeFailures.rows()];
    return {
      table: this.#table.name,
      wanted: this.#wanted,
      done: this.#problem === undefined ? this.#done.size : 0,
      rows: rows.slice(0, MAX_ROWS),
      failing: rows.length + (this.#problem === undefined ? 0 : 1),
      problem: this.#problem,
    };
  }

  #tryAll(work: () => void): boolean {
    try {
      work();
      return true;
    } catch {
      // A batch names no culprit: going one by one finds it and lets the others through.
      return false;
    }
  }

  #putRows(rows: readonly D[], nowMs: number): number {
    const { batch } = this.#table;
    if (batch !== undefined && rows.length > 1 && this.#tryAll(() => batch.put(rows))) {
      for (const row of rows) this.#noteWritten(row);
      return rows.length;
    }
    return rows.filter((row) => this.#putOne(row, nowMs)).length;
  }

  #putOne(row: D, nowMs: number): boolean {
    try {
      this.#table.put(row);
    } catch (cause) {
      const text = this.#table.print(row);
      const message = this.#failures.add(this.#table.kind.desiredKey(row), text, cause, nowMs);
      this.#events.failed(this.#table.name, text, message);
      return false;
    }
    this.#noteWritten(row);
    return true;
  }

  #noteWritten(row: D): void {
    const key = this.#table.kind.desiredKey(row);
    const text = this.#table.print(row);
    const before = this.#lastRight(key);
    const isDrift = before !== undefined && this.#table.print(before) === text;
    if (isDrift) this.#drifted++;
    this.#failures.clear(key);
    this.#events.wrote(this.#table.name, "put", text, isDrift);
  }

  #lastRight(key: string): D | undefined {
    return this.#done.get(key) ?? this.#strayed.get(key);
  }

  #removeOne(row: O, nowMs: number): boolean {
    const key = this.#table.kind.observedKey(row);
    try {
      this.#table.remove?.(row);
    } catch (cause) {
      const message = this.#removeFailures.add(key, `remove ${printable(key)}`, cause, nowMs);
      this.#events.failed(this.#table.name, `remove ${printable(key)}`, message);
      return false;
    }
    this.#noteRemoved(row);
    return true;
  }

  #noteRemoved(row: O): void {
    const key = this.#table.kind.observedKey(row);
    this.#removeFailures.clear(key);
    this.#events.wrote(this.#table.name, "remove", printable(key), false);
  }
}
