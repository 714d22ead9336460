/** `bench path`: round trips, connections and bulk between two pods, over each way that Linux and Twill offer. */

import { setImmediate } from "node:timers/promises";
import { Sandbox } from "../test/fixture/sandbox.ts";
import { type RowSpec, type RowWithRanges, type Sample, summarize } from "./stats.ts";
import { measureConnectionRate, measureRoundTrip, measureThroughput, startServers } from "./tools.ts";
import { bridge, directVeth, type Path, routedCrossNode, routedSameNode, vxlanBridge } from "./topologies.ts";
import { twillPaths } from "./twill.ts";

/** How much is measured. */
export interface BenchOptions {
  readonly rounds: number;
  /** Of each figure in each round. */
  readonly seconds: number;
  /** Fewer of everything, to see that it works. */
  readonly isQuick: boolean;
  /** Ends the benchmark between two measurements. */
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

const SPECS: readonly RowSpec[] = ["same-node", "cross-node.vxlan"].flatMap((scope) => [
  { name: `${scope}.rtt.p50`, unit: "us" },
  { name: `${scope}.rtt.p99`, unit: "us" },
  { name: `${scope}.conn-rate`, unit: "1/s" },
  { name: `${scope}.throughput`, unit: "Gbit/s" },
]);

/** Builds every path, measures them in turn, and removes all of it. */
export async function benchPath(options: BenchOptions): Promise<RowWithRanges[]> {
  await using stack = new AsyncDisposableStack();
  const box = stack.use(new Sandbox("twbp"));
  const peers: Path[] = [directVeth(box), bridge(box), routedSameNode(box), routedCrossNode(box), vxlanBridge(box)];
  const paths = [...(await twillPaths(stack, box)), ...peers];
  for (const path of paths) await startServers(box, path);
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    // Each round starts with another path, so that none always follows the same neighbour.
    const order = paths.map((_, index) => paths[(index + round) % paths.length] as Path);
    for (const path of order) {
      // Measuring blocks: between two of them a signal may be heard.
      await setImmediate();
      options.signal.throwIfAborted();
      samples.push(...measure(path, round, options));
    }
  }
  return summarize(SPECS, samples);
}

function measure(path: Path, round: number, options: BenchOptions): Sample[] {
  const { scope, subject } = path;
  const sample = (what: string, value: number): Sample => ({ row: `${scope}.${what}`, subject, round, value });
  const roundTrip = measureRoundTrip(path, options.seconds);
  const rate = measureConnectionRate(path, options.seconds);
  const throughput = measureThroughput(path, options.seconds);
  options.log(
    `round ${round + 1}/${options.rounds} ${scope} ${subject}: ${roundTrip.p50Us} us, ${rate.toFixed(0)} conn/s, ${throughput.toFixed(1)} Gbit/s`,
  );
  return [
    sample("rtt.p50", roundTrip.p50Us),
    sample("rtt.p99", roundTrip.p99Us),
    sample("conn-rate", rate),
    sample("throughput", throughput),
  ];
}
