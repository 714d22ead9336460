/**
 * Compares large maps with what should stand in them, in steps between which the wanted rows may change: each row is judged
 * by what is wanted of it at the moment at which it is looked at.
 *
 * Why it is right when it ends. A key that the agent itself has written since the walk of its map began is right: it was
 * written as it was wanted, and will be with each later change. Any other key that stood there has been shown, and was judged; any
 * other that is wanted and was not shown is missing. So `right` holds the keys that were shown or written, and what is
 * wanted beside them is put. What is too much is only noted, and goes when all maps have what they need: nothing is ever pointed
 * at that is not there.
 */

import type { Kernel } from "../../kernel/kernel.ts";
import { bytesEqual } from "../../net/bytes-key.ts";
import { KeySet } from "../../net/key-set.ts";
import { canonicalTrieKey } from "../../net/trie-key.ts";
import type { MapRow } from "../../plan/rows.ts";

/** What one map should hold. */
export interface WantedMap {
  readonly map: string;
  readonly keyBytes: number;
  /** A trie's pages go on behind the last key that was shown: it has to be there still. */
  readonly isTrie: boolean;
  /** The row that is wanted now of what the key speaks of; undefined: none. One with another key means that this one should not be there. */
  rowOf(key: Uint8Array): MapRow | undefined;
  /** All that are wanted. May be asked for the next one when other rows have come and gone. */
  keys(): Iterable<Uint8Array>;
}

type MapKernel = Pick<Kernel, "mapPage" | "putMapRows" | "deleteMapKeys">;

/** Rows in one step, and in one call to the kernel: a millisecond or two. */
const STEP_ROWS = 512;
/** A walk that has shown each row so many times runs in circles. */
const MAX_ROUNDS = 8;

/** The walk over one map. */
class MapWalk {
  readonly wanted: WantedMap;
  /** Rows that were not as they should be. */
  found = 0;
  readonly #kernel: MapKernel;
  readonly #excess: KeySet;
  /** Keys that are as they should be; undefined: the walk has not begun, or is over. */
  #right: KeySet | undefined;
  /** Keys of the last page of a trie that still stand there. */
  #trail: Uint8Array[] = [];

  constructor(kernel: MapKernel, wanted: WantedMap) {
    this.#kernel = kernel;
    this.wanted = wanted;
    this.#excess = new KeySet(wanted.keyBytes);
  }

  /** Puts what is missing or wrong. */
  *fill(): Generator<void, void> {
    const right = new KeySet(this.wanted.keyBytes);
    this.#right = right;
    yield* this.#look(right);
    const step = this.#stepper((rows: readonly MapRow[]) => this.#put(rows));
    for (const key of this.wanted.keys()) {
      const row = right.has(key) ? undefined : this.#rowOf(key);
      if (row !== undefined) right.add(key);
      if (step.take(row)) yield;
    }
    step.end();
    this.#right = undefined;
  }

  /** Removes what is too much, and still is. */
  *drain(): Generator<void, void> {
    const step = this.#stepper((keys: readonly Uint8Array[]) => {
      this.found += keys.length;
      this.#kernel.deleteMapKeys(this.wanted.map, keys);
    });
    for (const key of this.#excess.keys()) if (step.take(this.#rowOf(key) === undefined ? key : undefined)) yield;
    step.end();
  }

  wrote(rows: readonly MapRow[]): void {
    if (this.#right !== undefined) for (const { key } of rows) this.#right.add(key);
  }

  deleted(keys: readonly Uint8Array[]): void {
    if (this.#trail.length === 0) return;
    for (const key of keys) this.#trail = this.#trail.filter((t) => !bytesEqual(t, key));
  }

  /** Judges all that stands there. */
  *#look(right: KeySet): Generator<void, void> {
    const { map, isTrie } = this.wanted;
    let cursor: Uint8Array | undefined;
    let shown = 0;
    for (;;) {
      const { rows, next } = this.#kernel.mapPage(map, cursor, STEP_ROWS);
      this.#put(this.#judge(rows, right));
      if (next === undefined) return;
      shown += rows.length;
      if (shown > MAX_ROUNDS * (right.size + this.#excess.size + STEP_ROWS))
        throw new Error(`Cannot compare map "${map}": its entries go faster than they can be looked at`);
      if (isTrie) this.#trail = rows.map((r) => r.key);
      yield;
      // Nothing of the page is left: from the beginning. What is shown twice is judged twice.
      cursor = isTrie ? this.#trail.at(-1) : next;
      this.#trail = [];
    }
  }

  /** @returns what has to be put */
  #judge(rows: readonly MapRow[], right: KeySet): MapRow[] {
    const wrong: MapRow[] = [];
    for (const shown of rows) {
      // A trie knows its entries by the bits that count.
      const key = this.wanted.isTrie ? canonicalTrieKey(shown.key) : shown.key;
      const row = this.#rowOf(key);
      if (row === undefined) {
        this.#excess.add(key);
        continue;
      }
      right.add(key);
      if (!bytesEqual(row.value, shown.value)) wrong.push(row);
    }
    return wrong;
  }

  #rowOf(key: Uint8Array): MapRow | undefined {
    const row = this.wanted.rowOf(key);
    return row !== undefined && bytesEqual(row.key, key) ? row : undefined;
  }

  #put(rows: readonly MapRow[]): void {
    if (rows.length === 0) return;
    this.found += rows.length;
    this.#kernel.putMapRows(this.wanted.map, rows);
  }

  /** Gathers what has to be done with one step's rows, and does it. */
  #stepper<T>(act: (items: readonly T[]) => void) {
    let looked = 0;
    let items: T[] = [];
    const end = () => {
      if (items.length > 0) act(items);
      items = [];
    };
    return {
      /** @param item undefined: nothing is to be done @returns whether this was the step's last one */
      take(item: T | undefined): boolean {
        if (item !== undefined) items.push(item);
        if (++looked % STEP_ROWS !== 0) return false;
        end();
        return true;
      },
      end,
    };
  }
}

/** See the file's comment. One for the maps that are written by one owner: it compares them again and again. */
export class Comparison {
  readonly #kernel: MapKernel;
  /** Of the comparison that is going on. */
  #walks: readonly MapWalk[] = [];

  constructor(kernel: MapKernel) {
    this.#kernel = kernel;
  }

  /**
   * Compares, a step of some milliseconds for each value that is asked for: what a step finds is written when it returns. One that
   * was going on before is over.
   * @param wanted what is pointed at before what points at it
   * @param onFound called at the end of each step that wrote something
   * @returns rows that were not as they should be; undefined: another one has begun
   * @throws KernelError and it is over
   */
  *compare(wanted: readonly WantedMap[], onFound: () => void = () => {}): Generator<void, number | undefined> {
    const walks = wanted.map((w) => new MapWalk(this.#kernel, w));
    this.#walks = walks;
    let found = 0;
    const tell = () => {
      const now = walks.reduce((sum, w) => sum + w.found, 0);
      if (now > found) onFound();
      found = now;
    };
    try {
      for (const _ of stepsOf(walks)) {
        tell();
        yield;
        if (this.#walks !== walks) return undefined;
      }
    } finally {
      tell();
      if (this.#walks === walks) this.#walks = [];
    }
    return found;
  }

  /** To be told of everything that is written to the maps. */
  wrote(map: string, rows: readonly MapRow[]): void {
    this.#of(map)?.wrote(rows);
  }

  /** To be told of everything that is deleted. */
  deleted(map: string, keys: readonly Uint8Array[]): void {
    this.#of(map)?.deleted(keys);
  }

  #of(map: string): MapWalk | undefined {
    return this.#walks.find((w) => w.wanted.map === map);
  }
}

function* stepsOf(walks: readonly MapWalk[]): Generator<void, void> {
  for (const walk of walks) yield* walk.fill();
  for (const walk of walks.toReversed()) yield* walk.drain();
}
