/**
 * Collects flows that are over, a bounded part of a map at each step, so that no step holds the agent up. On the way it
 * counts: a hash map does not know how many entries it has.
 */

import type { Kernel } from "../../kernel/kernel.ts";
import type { MapRow } from "../../plan/rows.ts";
import { isExpired, SWEPT_MAPS, type SweptMap } from "./expiry.ts";

/** Entries looked at in one step: some milliseconds. */
export const PAGE_ROWS = 2048;
/** Above this share of a map, flows of which only one side has spoken are given less time. */
const HASTE_ABOVE = 0.75;
const HASTE = 4;

/** What is known of one map from its last complete walk. */
export interface SweepCount {
  readonly map: SweptMap;
  /** Entries that were left. */
  readonly entries: number;
  /** Entries removed since the sweeper was made. */
  readonly expired: number;
}

type SweptKernel = Pick<Kernel, "mapPage" | "mapGet" | "deleteMapKeys" | "maps">;

/** One for the life of an agent. */
export class Sweeper {
  readonly #kernel: SweptKernel;
  readonly #counts = new Map<SweptMap, { entries: number; expired: number }>();
  #mapIndex = 0;
  #cursor: Uint8Array | undefined;
  #seen = 0;

  constructor(kernel: SweptKernel) {
    this.#kernel = kernel;
  }

  /**
   * Walks one page of one map.
   * @param nowTick now as the programs count, see `tickOf`
   * @returns whether this was the last page of the last map: the next step begins anew
   */
  step(nowTick: number): boolean {
    const map = SWEPT_MAPS[this.#mapIndex] ?? SWEPT_MAPS[0];
    const page = this.#kernel.mapPage(map, this.#cursor, PAGE_ROWS);
    const count = this.#counts.get(map) ?? { entries: 0, expired: 0 };
    this.#counts.set(map, count);
    const expired = this.#removeExpired(map, page.rows, nowTick, count.entries);
    count.expired += expired;
    this.#seen += page.rows.length - expired;
    this.#cursor = page.next;
    if (page.next !== undefined) return false;
    count.entries = this.#seen;
    this.#seen = 0;
    this.#mapIndex = (this.#mapIndex + 1) % SWEPT_MAPS.length;
    return this.#mapIndex === 0;
  }

  counts(): readonly SweepCount[] {
    return Array.from(this.#counts, ([map, c]) => ({ map, entries: c.entries, expired: c.expired }));
  }

  /**
   * Each one is looked at again right before it goes: a page takes milliseconds, in which a new flow may have taken over the
   * addresses and ports of one that is over, and with them its entry. @returns how many went
   */
  #removeExpired(map: SweptMap, rows: readonly MapRow[], nowTick: number, entries: number): number {
    const kernel = this.#kernel;
    const max = kernel.maps().find((m) => m.name === map)?.maxEntries ?? Number.POSITIVE_INFINITY;
    const haste = entries > max * HASTE_ABOVE ? HASTE : 1;
    let removed = 0;
    for (const row of rows) {
      if (!isExpired(kernel, map, row, nowTick, haste)) continue;
      const value = kernel.mapGet(map, row.key);
      if (value === undefined || !isExpired(kernel, map, { key: row.key, value }, nowTick, haste)) continue;
      kernel.deleteMapKeys(map, [row.key]);
      removed++;
    }
    return removed;
  }
}
