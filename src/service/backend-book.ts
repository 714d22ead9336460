/** The backends of all services, each once, with its number, and whether a set leads to it. */

import type { Addr } from "../net/addr.ts";
import { type Backend, backendName } from "./endpoints.ts";
import { Numbers } from "./numbers.ts";
import type { BackendRow } from "./rows.ts";

interface Entry {
  readonly number: number;
  readonly addr: Addr;
  readonly port: number;
  readonly protocol: number;
  /** Ports of services that it serves. */
  holders: number;
  /** Sets that it stands in: with any, it has a row. */
  sets: number;
}

const NONE: ReadonlyMap<string, number> = new Map();

/** See the file's comment. */
export class BackendBook {
  readonly #entries = new Map<string, Entry>();
  readonly #numbers = new Numbers();
  /** Those whose sets changed since the last {@link changes}, and whether they had a row. */
  readonly #touched = new Map<string, { readonly entry: Entry; readonly hadRow: boolean }>();
  #preferred: ReadonlyMap<string, number>;
  #rows = 0;

  /** @param preferred numbers by name that stand in the kernel, until the first {@link changes} */
  constructor(preferred: ReadonlyMap<string, number>) {
    this.#preferred = preferred;
  }

  /** Backends with a row. */
  get size(): number {
    return this.#rows;
  }

  hasRow(name: string): boolean {
    return (this.#entries.get(name)?.sets ?? 0) > 0;
  }

  /** One more port holds it. @returns its number */
  hold(backend: Backend, name: string): number {
    const known = this.#entries.get(name);
    if (known !== undefined) {
      known.holders++;
      return known.number;
    }
    const number = this.#numbers.take(name, this.#preferred.get(name));
    const { addr, port, protocol } = backend;
    this.#entries.set(name, { number, addr, port, protocol, holders: 1, sets: 0 });
    return number;
  }

  /** One port less. The last one gives its number back. */
  drop(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || --entry.holders > 0) return;
    this.#entries.delete(name);
    this.#numbers.release(name);
  }

  number(name: string): number {
    return this.#entries.get(name)?.number ?? 0;
  }

  /** It stands in one set more (1) or less (-1). */
  count(name: string, by: 1 | -1): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const hadRow = entry.sets > 0;
    entry.sets += by;
    const hasRow = entry.sets > 0;
    if (hadRow === hasRow) return;
    this.#rows += hasRow ? 1 : -1;
    if (!this.#touched.has(name)) this.#touched.set(name, { entry, hadRow });
  }

  /** What has changed since the last call; numbers that were given back are free after it. */
  changes(): { readonly put: readonly BackendRow[]; readonly gone: readonly number[] } {
    const put: BackendRow[] = [];
    const gone: number[] = [];
    for (const [name, { entry, hadRow }] of this.#touched) {
      const now = this.#entries.get(name);
      const isThere = (now?.sets ?? 0) > 0;
      if (now !== undefined && isThere && (!hadRow || now !== entry)) put.push(now);
      if (!isThere && hadRow) gone.push(entry.number);
    }
    this.#touched.clear();
    this.#numbers.settle();
    this.#preferred = NONE;
    return { put, gone };
  }

  *rows(): Generator<BackendRow> {
    for (const entry of this.#entries.values()) if (entry.sets > 0) yield entry;
  }
}

/** Names and backends of a list, in its order. */
export function named(backends: readonly Backend[]): ReadonlyMap<string, Backend> {
  return new Map(backends.map((b) => [backendName(b), b]));
}
