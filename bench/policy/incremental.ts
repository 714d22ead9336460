/** What policy costs an agent without a kernel: the first resolution, and each kind of change after it. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createRandom } from "../../src/policy/testing/random.ts";
import { quantile, type RowSpec, type Sample, TWILL } from "../stats.ts";
import { CHANGES, type ChangeName, makeChanges } from "./changes.ts";
import { type ClusterSize, makeCluster } from "./cluster.ts";
import { BenchEngine } from "./engine.ts";

/** Rows of {@link measureIncremental}. */
export function incrementalSpecs(policies: number): RowSpec[] {
  const at = `policy.${policies}`;
  return [
    { name: `${at}.cold`, unit: "ms" },
    { name: `${at}.heap`, unit: "MB" },
    ...CHANGES.flatMap((name) => [
      { name: `${at}.${name}.p50`, unit: "ms" },
      { name: `${at}.${name}.p99`, unit: "ms" },
    ]),
  ];
}

/** Builds a cluster of that size, resolves it, changes it `changes` times in each way. */
export function measureIncremental(
  size: ClusterSize,
  changes: number,
  round: number,
  log: (line: string) => void,
): Sample[] {
  const cluster = makeCluster(size);
  const before = heapBytes();
  const bench = new BenchEngine(cluster);
  const objects = heapBytes() - before;
  const coldMs = bench.update();
  const heap = heapBytes() - before;
  const { tables } = bench.engine.state();
  const peers = [...tables.peers.values()].reduce((sum, of) => sum + of.size, 0);
  log(
    `${size.pods} pods, ${size.policies} policies: cold ${coldMs.toFixed(0)} ms, heap ${mega(heap)} MB of which objects ${mega(objects)} MB; ` +
      `${tables.identities.size} identities, ${tables.classes.size} classes, ${tables.sets.size} sets, ${peers} peers, ${tables.overflow.size} too large`,
  );
  const times = new Map<ChangeName, number[]>(CHANGES.map((name) => [name, []]));
  for (const { name, put, gone } of makeChanges(cluster, changes, createRandom(round).below(1e9))) {
    if (put !== undefined) bench.change([put]);
    if (gone !== undefined) bench.remove(gone.table, gone.key);
    times.get(name)?.push(bench.update());
  }
  const sample = (row: string, value: number): Sample => ({
    row: `policy.${size.policies}.${row}`,
    subject: TWILL,
    round,
    value,
  });
  const samples = [sample("cold", coldMs), sample("heap", heap / 1e6)];
  for (const [name, ms] of times) {
    const [p50, p99] = [quantile(ms, 0.5), quantile(ms, 0.99)];
    log(`  ${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, most ${Math.max(...ms).toFixed(2)} ms`);
    samples.push(sample(`${name}.p50`, p50), sample(`${name}.p99`, p99));
  }
  return samples;
}

/** What lives on the heap, when nothing is left to be collected. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

const mega = (bytes: number) => (bytes / 1e6).toFixed(0);
