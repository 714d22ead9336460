/** What policy costs an agent without a kernel: the first resolution, and each kind of change after it. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createRandom } from "../../src/policy/testing/random.ts";
import { quantile, type RowSpec, type Sample, TWILL } from "../stats.ts";
import { CHANGES, type ChangeName, makeChanges } from "./changes.ts";
import { type ClusterSize, makeCluster } from "./cluster.ts";
import { BenchEngine, type UpdateCost } from "./engine.ts";

const FIGURES = ["p50", "p99", "cpu.p50", "cpu.p99"] as const;

/** Rows of {@link IncrementalBench}. */
export function incrementalSpecs(policies: number): RowSpec[] {
  const at = `policy.${policies}`;
  return [
    { name: `${at}.cold`, unit: "ms" },
    { name: `${at}.heap`, unit: "MB" },
    ...CHANGES.flatMap((name) => FIGURES.map((figure) => ({ name: `${at}.${name}.${figure}`, unit: "ms" }))),
  ];
}

/** Clusters that are resolved and changed, one in each round. Changes count over all rounds: a 99th percentile needs them. */
export class IncrementalBench {
  readonly #size: ClusterSize;
  readonly #log: (line: string) => void;
  readonly #costs = new Map<ChangeName, UpdateCost[]>(CHANGES.map((name) => [name, []]));

  constructor(size: ClusterSize, log: (line: string) => void) {
    this.#size = size;
    this.#log = log;
  }

  /** Builds a cluster of that size, resolves it, changes it `changes` times in each way. */
  measure(changes: number, round: number): Sample[] {
    const size = this.#size;
    const cluster = makeCluster(size);
    const before = heapBytes();
    const bench = new BenchEngine(cluster);
    const objects = heapBytes() - before;
    const { ms: coldMs } = bench.update();
    const heap = heapBytes() - before;
    const { tables } = bench.engine.state();
    const peers = [...tables.peers.values()].reduce((sum, of) => sum + of.size, 0);
    this.#log(
      `${size.pods} pods, ${size.policies} policies: cold ${coldMs.toFixed(0)} ms, heap ${mega(heap)} MB of which objects ${mega(objects)} MB; ` +
        `${tables.identities.size} identities, ${tables.classes.size} classes, ${tables.sets.size} sets, ${peers} peers, ${tables.overflow.size} too large`,
    );
    for (const event of makeChanges(cluster, changes, createRandom(round).below(1e9))) {
      bench.happen(event);
      this.#costs.get(event.name)?.push(bench.update());
    }
    return [this.#sample("cold", coldMs, round), this.#sample("heap", heap / 1e6, round)];
  }

  /** Of all changes until now. */
  samples(): Sample[] {
    return [...this.#costs].flatMap(([name, costs]) => {
      const ms = costs.map((c) => c.ms);
      const cpuMs = costs.map((c) => c.cpuMs);
      const figures = [quantile(ms, 0.5), quantile(ms, 0.99), quantile(cpuMs, 0.5), quantile(cpuMs, 0.99)];
      const [p50, p99, cpu50, cpu99] = figures.map((f) => f.toFixed(2));
      this.#log(
        `  ${name}: p50 ${p50} ms, p99 ${p99} ms, most ${Math.max(...ms).toFixed(2)} ms of ${ms.length}; CPU time p50 ${cpu50} ms, p99 ${cpu99} ms, most ${Math.max(...cpuMs).toFixed(2)} ms`,
      );
      return FIGURES.map((figure, i) => this.#sample(`${name}.${figure}`, figures[i] ?? 0, 0));
    });
  }

  #sample(row: string, value: number, round: number): Sample {
    return { row: `policy.${this.#size.policies}.${row}`, subject: TWILL, round, value };
  }
}

/** What lives on the heap, when nothing is left to be collected. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

const mega = (bytes: number) => (bytes / 1e6).toFixed(0);
