/** How much room the tables have, and which classes have none. */

import type { FoundAnswers } from "./class-answers.ts";

/** Bounds of the tables. What does not fit is closed, for the class that it does not fit for. */
export interface CompileLimits {
  /** Rows of `sets` that one class may need. */
  readonly setRowsPerClass: number;
  /** Rows of `sets`. */
  readonly setRows: number;
  /** Rows of `peers`. */
  readonly peerRows: number;
  /** Rows of `identities`. */
  readonly identityRows: number;
  /** Classes. */
  readonly classes: number;
}

/** Fits the maps' sizes as they are by default; ten thousand rules of single ports for as many peers fit a class. */
export const DEFAULT_LIMITS: CompileLimits = {
  setRowsPerClass: 65_536,
  setRows: 262_144,
  peerRows: 524_288,
  identityRows: 262_144,
  classes: 16_384,
};

/** Why a class is closed that needs too much by itself. */
export function overText({ setRowsPerClass }: CompileLimits): string {
  return `Its rules need more than ${setRowsPerClass} rows`;
}

/**
 * Who comes first has room, and who does not fit is passed over. What it says depends on what is there now and on its order, not on what was there before.
 * @returns why a class has no room, for those that have none
 */
export function findRoom<Key>(
  classes: Iterable<readonly [Key, FoundAnswers]>,
  limits: CompileLimits,
): Map<Key, string> {
  const without = new Map<Key, string>();
  const sets = new Set<number>();
  let setRows = 0;
  let peerRows = 0;
  for (const [key, found] of classes) {
    let added = 0;
    for (const [set, { rows }] of found.sets) if (!sets.has(set)) added += rows.length;
    if (found.isOver) without.set(key, overText(limits));
    else if (setRows + added > limits.setRows) without.set(key, `The table of sets is full: ${limits.setRows} rows`);
    else if (peerRows + found.peers.size > limits.peerRows)
      without.set(key, `The table of peers is full: ${limits.peerRows} rows`);
    else {
      for (const set of found.sets.keys()) sets.add(set);
      setRows += added;
      peerRows += found.peers.size;
    }
  }
  return without;
}
