/** The backends of all services, each once, with its number, and whether a set leads to it. */

import type { Addr } from "../net/addr.ts";
import { type Backend, backendName } from "./endpoints.ts";
import { hash32 } from "./hash.ts";
import type { BackendRow } from "./rows.ts";

/** A backend that serves a port of a service: the same object for as long as it serves any. There may be a hundred thousand. */
export class HeldBackend implements BackendRow {
  readonly addr: Addr;
  readonly port: number;
  readonly protocol: number;
  /** Ports of services that it serves. */
  holders = 0;
  /** Sets that it stands in: with any, it has a row. */
  sets = 0;
  /** The number as 32 bits with a sign: above 2^31 it would be an object of its own. */
  readonly key: number;

  constructor({ addr, port, protocol }: Omit<BackendRow, "number">, key: number) {
    this.addr = addr;
    this.port = port;
    this.protocol = protocol;
    this.key = key;
  }

  get number(): number {
    return this.key >>> 0;
  }
}

const NONE: ReadonlyMap<string, number> = new Map();

/**
 * See the file's comment. Numbers follow from names as {@link Numbers} has it. Names are not kept: a backend is found by the number that
 * its name has first.
 */
export class BackendBook {
  readonly #byKey = new Map<number, HeldBackend>();
  /** Those whose number is not the first one of their name: it was taken, or another stood in the kernel. */
  readonly #odd = new Map<string, HeldBackend>();
  /** Those that nobody holds any more: their numbers are free after the next {@link changes}. */
  readonly #released = new Set<HeldBackend>();
  /** Those whose sets changed since the last {@link changes}, and whether they had a row. */
  readonly #touched = new Map<HeldBackend, boolean>();
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
  find(name: string): HeldBackend | undefined {
    const found = this.#known(name);
    return found === undefined || found.holders === 0 ? undefined : found;
  }

  /** The row of a number. */
  row(number: number): BackendRow | undefined {
    const found = this.#byKey.get(number | 0);
    return found !== undefined && found.sets > 0 ? found : undefined;
  }

  /** One more port holds it. */
  hold(backend: Backend, name: string): HeldBackend {
    const held = this.#known(name) ?? this.#make(backend, name);
    held.holders++;
    this.#released.delete(held);
    return held;
  }

  /** One port less. The last one gives its number back. */
  drop(held: HeldBackend): void {
    if (--held.holders === 0) this.#released.add(held);
  }

  /** It stands in one set more (1) or less (-1). */
  count(held: HeldBackend, by: 1 | -1): void {
    const hadRow = held.sets > 0;
    held.sets += by;
    const hasRow = held.sets > 0;
    if (hadRow === hasRow) return;
    this.#rows += hasRow ? 1 : -1;
    if (!this.#touched.has(held)) this.#touched.set(held, hadRow);
  }

  /** What has changed since the last call; numbers that were given back are free after it. */
  changes(): { readonly put: readonly BackendRow[]; readonly gone: readonly number[] } {
    const put: BackendRow[] = [];
    const gone: number[] = [];
    for (const [held, hadRow] of this.#touched) {
      const hasRow = held.sets > 0;
      if (hasRow && !hadRow) put.push(held);
      if (!hasRow && hadRow) gone.push(held.number);
    }
    for (const held of this.#released) {
      this.#byKey.delete(held.key);
      this.#odd.delete(backendName(held));
    }
    this.#released.clear();
    this.#touched.clear();
    this.#preferred = NONE;
    return { put, gone };
  }

  *rows(): Generator<BackendRow> {
    for (const held of this.#byKey.values()) if (held.sets > 0) yield held;
  }

  /** One that nobody holds any more has its number still, until the next {@link changes}. */
  #known(name: string): HeldBackend | undefined {
    const first = this.#byKey.get(hash32(name) | 0);
    return first !== undefined && backendName(first) === name ? first : this.#odd.get(name);
  }

  #make(backend: Backend, name: string): HeldBackend {
    const first = hash32(name) | 0;
    let key = (this.#preferred.get(name) ?? 0) | 0;
    for (let attempt = 0; key === 0 || this.#byKey.has(key); attempt++) key = hash32(name, attempt) | 0;
    const held = new HeldBackend(backend, key);
    this.#byKey.set(key, held);
    if (key !== first) this.#odd.set(name, held);
    return held;
  }
}

/** Names and backends of a list, in its order. */
export function named(backends: readonly Backend[]): ReadonlyMap<string, Backend> {
  return new Map(backends.map((b) => [backendName(b), b]));
}
