/**
 * Maglev's consistent hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4): a table that sends almost every hash to the same backend when others come or go, and that each node
 * computes alike from the same names.
 */

import { hash32 } from "../base/hash.ts";

const OFFSET_SEED = 0x6f666673;
const SKIP_SEED = 0x736b6970;

/** Whether a number can be the size of a table. */
export function isPrime(n: number): boolean {
  if (!Number.isInteger(n) || n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}

/**
 * For each place of the table the index of a name. Each name has its own order of preference of all places; they take
 * turns, each taking the first place of its order that is free.
 * @param names different ones, at least one and at most `size`; their order changes nothing but the indices
 * @param size a prime
 */
export function maglevTable(names: readonly string[], size: number): Uint32Array {
  const turns = names.map((_, i) => i).sort((a, b) => ((names[a] ?? "") < (names[b] ?? "") ? -1 : 1));
  const next = turns.map((i) => hash32(names[i] ?? "", OFFSET_SEED) % size);
  const skip = turns.map((i) => (hash32(names[i] ?? "", SKIP_SEED) % (size - 1)) + 1);
  const table = new Uint32Array(size);
  const isTaken = new Uint8Array(size);
  for (let filled = 0, turn = 0; filled < size; filled++, turn = (turn + 1) % turns.length) {
    let place = next[turn] ?? 0;
    while (isTaken[place] === 1) place = (place + (skip[turn] ?? 1)) % size;
    isTaken[place] = 1;
    table[place] = turns[turn] ?? 0;
    next[turn] = (place + (skip[turn] ?? 1)) % size;
  }
  return table;
}
