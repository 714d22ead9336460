/** Reproducible chance for generators: the same seed, the same cluster. */

/** Draws from one seed (mulberry32). */
export interface Random {
  /** 0 … n-1. */
  below(n: number): number;
  /** True in one of n draws. */
  oneIn(n: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** From `min` to `max` values, both inclusive. */
  list<T>(min: number, max: number, make: () => T): T[];
}

/** A source of chance for a seed of 32 bits. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function below(n: number): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }
  return {
    below,
    oneIn: (n) => below(n) === 0,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new RangeError("Cannot pick from an empty list");
      return from[below(from.length)] as T;
    },
    list: (min, max, make) => Array.from({ length: min + below(max - min + 1) }, make),
  };
}
