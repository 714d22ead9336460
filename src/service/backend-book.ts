/** The backends of all services, each once, with its number, and whether a set leads to it. */

import { hash32 } from "../base/hash.ts";
import { BackendColumns, type BackendKey, backendKey, backendNumber } from "./backend-columns.ts";
import { type Backend, backendName } from "./endpoints.ts";
import type { BackendRow } from "./rows.ts";

const NONE: ReadonlyMap<string, number> = new Map();

/**
 * See the file's comment. Numbers follow from names as {@link Numbers} has it. Names are not kept: a backend is found by the number that
 * its name has first.
 */
export class BackendBook {
  readonly #all = new BackendColumns();
  /** Those whose number is not the first one of their name: it was taken, or another stood in the kernel. */
  readonly #odd = new Map<string, BackendKey>();
  /** Those that nobody holds any more: their numbers are free after the next {@link changes}. */
  readonly #released = new Set<BackendKey>();
  /** Those whose sets changed since the last {@link changes}, and whether they had a row. */
  readonly #touched = new Map<BackendKey, boolean>();
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

  /** undefined: nobody holds it. */
  find(name: string): BackendKey | undefined {
    const found = this.#known(name);
    return found === undefined || this.#all.holders(found) === 0 ? undefined : found;
  }

  /** Whether it stands in a set: then it has a row. */
  isInSet(key: BackendKey): boolean {
    return this.#all.sets(key) > 0;
  }

  /** The row of a number. */
  row(number: number): BackendRow | undefined {
    const key = backendKey(number);
    return this.isInSet(key) ? this.#all.row(key) : undefined;
  }

  /** One more port holds it. */
  hold(backend: Backend, name: string): BackendKey {
    const key = this.#known(name) ?? this.#make(backend, name);
    this.#all.addHolders(key, 1);
    this.#released.delete(key);
    return key;
  }

  /** One port less. The last one gives its number back. */
  drop(key: BackendKey): void {
    if (this.#all.addHolders(key, -1) === 0) this.#released.add(key);
  }

  /** It stands in one set more (1) or less (-1). */
  count(key: BackendKey, by: 1 | -1): void {
    const sets = this.#all.addSets(key, by);
    const hasRow = sets > 0;
    const hadRow = sets - by > 0;
    if (hadRow === hasRow) return;
    this.#rows += hasRow ? 1 : -1;
    if (!this.#touched.has(key)) this.#touched.set(key, hadRow);
  }

  /** What has changed since the last call; numbers that were given back are free after it. */
  changes(): { readonly put: readonly BackendRow[]; readonly gone: readonly number[] } {
    const put: BackendRow[] = [];
    const gone: number[] = [];
    for (const [key, hadRow] of this.#touched) {
      const row = this.isInSet(key) ? this.#all.row(key) : undefined;
      if (row !== undefined && !hadRow) put.push(row);
      if (row === undefined && hadRow) gone.push(backendNumber(key));
    }
    for (const key of this.#released) {
      if (this.#odd.size > 0) this.#odd.delete(this.#nameOf(key));
      this.#all.delete(key);
    }
    this.#released.clear();
    this.#touched.clear();
    this.#preferred = NONE;
    return { put, gone };
  }

  /** Of those with a row. */
  *numbers(): Generator<number> {
    for (const key of this.#all.keys()) if (this.isInSet(key)) yield backendNumber(key);
  }

  #nameOf(key: BackendKey): string {
    const row = this.#all.row(key);
    return row === undefined ? "" : backendName(row);
  }

  /** One that nobody holds any more has its number still, until the next {@link changes}. */
  #known(name: string): BackendKey | undefined {
    const first = backendKey(hash32(name));
    return this.#nameOf(first) === name ? first : this.#odd.get(name);
  }

  #make(backend: Backend, name: string): BackendKey {
    const first = backendKey(hash32(name));
    let key = backendKey(this.#preferred.get(name) ?? 0);
    for (let attempt = 0; key === 0 || this.#all.has(key); attempt++) key = backendKey(hash32(name, attempt));
    this.#all.add(key, backend);
    if (key !== first) this.#odd.set(name, key);
    return key;
  }
}

/** Names and backends of a list, in its order. */
export function named(backends: readonly Backend[]): ReadonlyMap<string, Backend> {
  return new Map(backends.map((b) => [backendName(b), b]));
}
