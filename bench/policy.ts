/** `bench policy`: what policies cost packets, and what it costs to resolve and to change ten thousand of them. */

import { spawnSync } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import type { BenchOptions } from "./path.ts";
import { AppliedBench, appliedSpecs } from "./policy/applied.ts";
import { type ClusterSize, FULL_SIZE, TINY_SIZE } from "./policy/cluster.ts";
import { IncrementalBench, incrementalSpecs } from "./policy/incremental.ts";
import { RuleCost, ruleCostSpecs } from "./policy/rule-cost.ts";
import { type RowWithRanges, type Sample, summarize } from "./stats.ts";

/** Changes of each kind, however many rounds there are: of three kinds of changes of a policy 300. And rules that a packet meets. */
const FULL = { size: FULL_SIZE, changes: 100, rules: 10_000 } as const;
const QUICK = { size: TINY_SIZE, changes: 10, rules: 200 } as const;

/** Programs of the peers, with their Debian packages. */
const PEERS = { "iptables-legacy-restore": "iptables", ipset: "ipset", nft: "nftables" };

/** The parts one after the other, so that none runs while another is timed. */
export async function benchPolicy(options: BenchOptions): Promise<RowWithRanges[]> {
  const missing = Object.entries(PEERS).filter(([program]) => spawnSync("which", [program]).status !== 0);
  if (missing.length > 0)
    throw new Error(`Cannot measure the peers: run apt-get install ${missing.map(([, name]) => name).join(" ")}`);
  const { size, changes, rules } = options.isQuick ? QUICK : FULL;
  const samples: Sample[] = [];
  const incremental = new IncrementalBench(size, options.log);
  for (let round = 0; round < options.rounds; round++) {
    await setImmediate();
    options.signal.throwIfAborted();
    samples.push(...incremental.measure(Math.ceil(changes / options.rounds), round));
  }
  samples.push(
    ...incremental.samples(),
    ...(await applied(size, changes, options)),
    ...(await ruleCost(rules, options)),
  );
  return summarize(
    [...incrementalSpecs(size.policies), ...appliedSpecs(size.policies), ...ruleCostSpecs(rules)],
    samples,
  );
}

async function applied(size: ClusterSize, changes: number, options: BenchOptions): Promise<Sample[]> {
  await using stack = new AsyncDisposableStack();
  const bench = await AppliedBench.open(stack, size, options.log);
  options.signal.throwIfAborted();
  // Awaited here: what is measured goes with the stack.
  return await bench.measure(changes);
}

async function ruleCost(rules: number, options: BenchOptions): Promise<Sample[]> {
  await using stack = new AsyncDisposableStack();
  const bench = await RuleCost.open(stack, rules, options.log);
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) samples.push(...(await bench.measure(round, options)));
  return samples;
}
