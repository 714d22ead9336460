/**
 * `bench scale`: what knowing a large cluster costs one agent. A real agent, started as an installed one is, follows an API
 * of its own with all objects in it; what is read of it is what the kernel says of its process.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { BenchOptions } from "./path.ts";
import { AgentProcess } from "./process.ts";
import { FULL_SIZE, podsOfNode, type ScaleSize, SMALL_SIZE } from "./scale/cluster.ts";
import { ScaleNode } from "./scale/node.ts";
import { quantile, type RowSpec, type RowWithRanges, type Sample, summarize, TWILL } from "./stats.ts";

/** Changes a second, for how long; how long an agent is left alone before its memory is read. */
const FULL = { size: FULL_SIZE, perSecond: 100, seconds: 30, settleMs: 30_000 } as const;
const QUICK = { size: SMALL_SIZE, perSecond: 50, seconds: 3, settleMs: 17_000 } as const;

const WHAT: readonly (readonly [name: string, unit: string])[] = [
  ...["start", "restart"].flatMap((way): [string, string][] => [
    [way, "ms"],
    [`${way}.known`, "ms"],
    [`${way}.cpu`, "s"],
    [`${way}.peak`, "MB"],
  ]),
  ["rest.rss", "MB"],
  ["rest.pss", "MB"],
  ["rest.anonymous", "MB"],
  ["rest.heap", "MB"],
  ["rest.cpu", "s/s"],
  ["changes.cpu", "s/s"],
  ["changes.p50", "ms"],
  ["changes.p99", "ms"],
  ["changes.rss", "MB"],
  ["changes.peak", "MB"],
];

const at = (size: ScaleSize) => `scale.${size.pods}`;

/** The first round starts an agent on a new node, the others on the node that the last one left. */
export async function benchScale(options: BenchOptions): Promise<RowWithRanges[]> {
  const { size, ...how } = options.isQuick ? QUICK : FULL;
  await using stack = new AsyncDisposableStack();
  const node = await ScaleNode.open(stack, size, options.log);
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    options.signal.throwIfAborted();
    const figures = await measure(node, size, how, round === 0 ? "start" : "restart", options);
    for (const [name, value] of Object.entries(figures))
      samples.push({ row: `${at(size)}.${name}`, subject: TWILL, round, value });
  }
  const specs = WHAT.map(([name, unit]): RowSpec => ({ name: `${at(size)}.${name}`, unit }));
  return summarize(specs, samples);
}

async function measure(
  node: ScaleNode,
  size: ScaleSize,
  { perSecond, seconds, settleMs }: { readonly perSecond: number; readonly seconds: number; readonly settleMs: number },
  way: "start" | "restart",
  { log, signal }: BenchOptions,
): Promise<Record<string, number>> {
  const { readyMs, knownMs } = await node.start();
  const agent = new AgentProcess(node.agentPid());
  const known = { cpu: agent.cpuSeconds(), memory: agent.memory() };
  await node.attach(podsOfNode(size));
  await sleep(settleMs, undefined, { signal });
  const rest = {
    memory: agent.memory(),
    heapMb: (await node.heapBytes()) / 1e6,
    cpu: agent.cpuSeconds(),
    at: performance.now(),
  };
  await sleep(Math.min(settleMs, 10_000), undefined, { signal });
  const restCpu = (agent.cpuSeconds() - rest.cpu) / ((performance.now() - rest.at) / 1000);
  await node.snapshot();
  agent.forgetPeak();
  const before = agent.cpuSeconds();
  const { ms, late, made, tookMs } = await node.change({ perSecond, seconds });
  const cpu = (agent.cpuSeconds() - before) / (tookMs / 1000);
  const after = agent.memory();
  await node.stop();
  log(
    `${way}: ready after ${readyMs.toFixed(0)} ms, all known after ${knownMs.toFixed(0)} ms; ${rest.memory.rssMb.toFixed(0)} MB at rest, ${rest.memory.anonymousMb.toFixed(0)} of them its own, ${rest.heapMb.toFixed(0)} its heap's; ${made} changes in ${(tookMs / 1000).toFixed(1)} s took ${cpu.toFixed(3)} of a CPU, ${late} of them were not seen`,
  );
  if (ms.length === 0) throw new Error(`Cannot time changes: none of ${made} reached the kernel`);
  return {
    [way]: readyMs,
    [`${way}.known`]: knownMs,
    [`${way}.cpu`]: known.cpu,
    [`${way}.peak`]: known.memory.peakMb,
    "rest.rss": rest.memory.rssMb,
    "rest.pss": rest.memory.pssMb,
    "rest.anonymous": rest.memory.anonymousMb,
    "rest.heap": rest.heapMb,
    "rest.cpu": restCpu,
    "changes.cpu": cpu,
    "changes.p50": quantile(ms, 0.5),
    "changes.p99": quantile(ms, 0.99),
    "changes.rss": after.rssMb,
    "changes.peak": after.peakMb,
  };
}
