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
    const expired = this.#expired(map, page.rows, nowTick, count.entries);
    if (expired.length > 0) this.#kernel.deleteMapKeys(map, expired);
    count.expired += expired.length;
    this.#seen += page.rows.length - expired.length;
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

  #expired(map: SweptMap, rows: readonly MapRow[], nowTick: number, entries: number): Uint8Array[] {
    const max = this.#kernel.maps().find((m) => m.name === map)?.maxEntries ?? Number.POSITIVE_INFINITY;
    const haste = entries > max * HASTE_ABOVE ? HASTE : 1;
    return rows.filter((r) => isExpired(this.#kernel, map, r, nowTick, haste)).map((r) => r.key);
  }
}
