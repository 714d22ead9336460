/** `bench policy`: what ten thousand policies cost, to resolve and to change. */

import { setImmediate } from "node:timers/promises";
import type { BenchOptions } from "./path.ts";
import { FULL_SIZE, TINY_SIZE } from "./policy/cluster.ts";
import { incrementalSpecs, measureIncremental } from "./policy/incremental.ts";
import { type RowWithRanges, type Sample, summarize } from "./stats.ts";

/** Changes of each kind in each round. */
const CHANGES = 40;
const QUICK_CHANGES = 5;

/** Resolves a cluster's policies and changes them, one round after the other. */
export async function benchPolicy(options: BenchOptions): Promise<RowWithRanges[]> {
  const size = options.isQuick ? TINY_SIZE : FULL_SIZE;
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    await setImmediate();
    options.signal.throwIfAborted();
    samples.push(...measureIncremental(size, options.isQuick ? QUICK_CHANGES : CHANGES, round, options.log));
  }
  return summarize(incrementalSpecs(size.policies), samples);
}
