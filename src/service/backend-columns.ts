/** Backends as columns: there may be a hundred thousand, and as objects in a map each would take a hundred bytes instead of thirty. */

import { PlaceIndex } from "../base/place-index.ts";
import type { Addr } from "../net/addr.ts";
import type { BackendRow } from "./rows.ts";

/** At the beginning; a quarter more whenever it is used up. */
const FIRST_ROOM = 64;

/**
 * What says which backend is meant, wherever there are many: its number as 32 bits with a sign. Above 2^31 a number would be an object of
 * its own.
 */
export type BackendKey = number;

/** The number of a key: 1 … 2^32-1. */
export function backendNumber(key: BackendKey): number {
  return key >>> 0;
}

/** Of a number, too. */
export function backendKey(number: number): BackendKey {
  return number | 0;
}

/** See the file's comment. */
export class BackendColumns {
  readonly #addrs: (Addr | undefined)[] = [];
  #keys = new Int32Array(FIRST_ROOM);
  #ports = new Uint16Array(FIRST_ROOM);
  #protocols = new Uint8Array(FIRST_ROOM);
  #holders = new Uint32Array(FIRST_ROOM);
  #sets = new Uint32Array(FIRST_ROOM);
  readonly #index = new PlaceIndex((place) => this.#keys[place] ?? 0);
  /** Places that nobody has any more. */
  readonly #free: number[] = [];

  has(key: BackendKey): boolean {
    return this.#index.placeOf(key) >= 0;
  }

  /** undefined: there is none of that key. */
  row(key: BackendKey): BackendRow | undefined {
    const place = this.#index.placeOf(key);
    const addr = place < 0 ? undefined : this.#addrs[place];
    if (addr === undefined) return undefined;
    return { number: backendNumber(key), addr, port: this.#ports[place] ?? 0, protocol: this.#protocols[place] ?? 0 };
  }

  /** Nobody has the key yet. */
  add(key: BackendKey, { addr, port, protocol }: Omit<BackendRow, "number">): void {
    const place = this.#free.pop() ?? this.#addrs.length;
    if (place >= this.#keys.length) this.#grow();
    this.#addrs[place] = addr;
    this.#keys[place] = key;
    this.#ports[place] = port;
    this.#protocols[place] = protocol;
    this.#holders[place] = 0;
    this.#sets[place] = 0;
    this.#index.add(place);
  }

  delete(key: BackendKey): void {
    const place = this.#index.placeOf(key);
    if (place < 0) return;
    this.#index.delete(key);
    this.#addrs[place] = undefined;
    this.#free.push(place);
  }

  /** Ports of services that it serves. */
  holders(key: BackendKey): number {
    return countAt(this.#holders, this.#index.placeOf(key));
  }

  /** Sets that it stands in: with any, it has a row. */
  sets(key: BackendKey): number {
    return countAt(this.#sets, this.#index.placeOf(key));
  }

  /** @returns how many there are now */
  addHolders(key: BackendKey, by: 1 | -1): number {
    return addAt(this.#holders, this.#index.placeOf(key), by);
  }

  /** @returns how many there are now */
  addSets(key: BackendKey, by: 1 | -1): number {
    return addAt(this.#sets, this.#index.placeOf(key), by);
  }

  *keys(): Generator<BackendKey> {
    for (let place = 0; place < this.#addrs.length; place++)
      if (this.#addrs[place] !== undefined) yield this.#keys[place] ?? 0;
  }

  #grow(): void {
    const room = Math.ceil(this.#keys.length * 1.25);
    this.#keys = copyInto(new Int32Array(room), this.#keys);
    this.#ports = copyInto(new Uint16Array(room), this.#ports);
    this.#protocols = copyInto(new Uint8Array(room), this.#protocols);
    this.#holders = copyInto(new Uint32Array(room), this.#holders);
    this.#sets = copyInto(new Uint32Array(room), this.#sets);
  }
}

function countAt(column: Uint32Array, place: number): number {
  return place < 0 ? 0 : (column[place] ?? 0);
}

function addAt(column: Uint32Array, place: number, by: 1 | -1): number {
  const now = countAt(column, place) + by;
  column[place] = now;
  return now;
}

function copyInto<T extends Int32Array | Uint32Array | Uint16Array | Uint8Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
