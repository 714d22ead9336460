/**
 * `node bench/policy/tail.ts [--rounds N] [--repeat N] [--seed N] [--kind policy-add] [--dialect calico]`: what the slowest changes of
 * policy do. Changes of one kind or dialect alone, without a kernel, the same ones for the same seed. Each is followed `--repeat` times, and
 * its least CPU time counts: the machine's other work makes caches cold, and only ever adds. Start it with the flags for V8 that `bin/twill` gives an agent.
 */

import { constants, PerformanceObserver } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { getHeapStatistics } from "node:v8";
import { FakeKernel } from "../../src/kernel/fake/fake-kernel.ts";
import type { MapRow } from "../../src/plan/rows.ts";
import { quantile } from "../stats.ts";
import { ThreadTime } from "../thread-time.ts";
import { CHANGES, type ClusterEvent, keyOf, makeChanges } from "./changes.ts";
import { FULL_SIZE, makeCluster } from "./cluster.ts";
import { BenchEngine } from "./engine.ts";
import { DIALECTS } from "./policies.ts";

/** Of all changes so many are shown one by one. */
const TAIL = 0.05;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "100" },
    repeat: { type: "string", default: "1" },
    seed: { type: "string", default: "5" },
    kind: { type: "string", default: "policy" },
    dialect: { type: "string" },
  },
});

/** A kernel that counts what is written, and knows when that was done which decides about packets. */
class CountingKernel extends FakeKernel {
  time = new ThreadTime();
  writes = new Map<string, number>();
  forceMs: number | undefined;

  constructor() {
    super({});
  }

  begin(): void {
    this.writes = new Map();
    this.forceMs = undefined;
    this.time = new ThreadTime();
  }

  override putMapRows(map: string, rows: readonly MapRow[]): void {
    this.#note(`+${map}`, rows.length);
    super.putMapRows(map, rows);
    if (map === "endpoints" || map === "hosts") this.forceMs = this.time.cpuMs();
  }

  override deleteMapKeys(map: string, keys: readonly Uint8Array[]): void {
    this.#note(`-${map}`, keys.length);
    super.deleteMapKeys(map, keys);
  }

  #note(what: string, rows: number): void {
    if (rows > 0) this.writes.set(what, (this.writes.get(what) ?? 0) + rows);
  }
}

/** One change, followed once. */
interface Followed {
  readonly event: ClusterEvent;
  readonly cpuMs: number;
  /** Until packets were judged by it: until endpoints had their new classes, where they got some. */
  readonly forceMs: number;
  readonly megabytes: number;
  readonly writes: ReadonlyMap<string, number>;
  readonly fromMs: number;
  readonly toMs: number;
}

const collections: PerformanceEntry[] = [];
new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ["gc"] });
const MAJOR = constants.NODE_PERFORMANCE_GC_MAJOR;

function collectionsIn({ fromMs, toMs }: Followed): string {
  const during = collections.filter((c) => c.startTime + c.duration >= fromMs && c.startTime <= toMs);
  const whole = during.filter(
    (c) => (c as PerformanceEntry & { detail: { kind: number } }).detail.kind === MAJOR,
  ).length;
  return `${during.length - whole} collections${whole === 0 ? "" : `, ${whole} of the whole heap`}`;
}

async function followOnce(): Promise<Followed[]> {
  const cluster = makeCluster(FULL_SIZE);
  const kernel = new CountingKernel();
  const bench = new BenchEngine(cluster, kernel);
  bench.update();
  const isWanted = ({ name, dialect }: ClusterEvent) =>
    name.startsWith(values.kind) && (values.dialect === undefined || dialect === values.dialect);
  const out: Followed[] = [];
  for (const event of makeChanges(cluster, Number(values.rounds), Number(values.seed))) {
    const isOther = values.dialect !== undefined && event.dialect !== values.dialect;
    // Policies of other dialects would only take time.
    if (isOther && event.dialect !== undefined) continue;
    bench.happen(event);
    await setImmediate();
    kernel.begin();
    const allocated = getHeapStatistics().total_allocated_bytes;
    const fromMs = performance.now();
    const { cpuMs } = bench.update();
    const toMs = performance.now();
    const megabytes = (getHeapStatistics().total_allocated_bytes - allocated) / 1e6;
    const { writes, forceMs = cpuMs } = kernel;
    if (isWanted(event)) out.push({ event, cpuMs, forceMs, megabytes, writes, fromMs, toMs });
  }
  return out;
}

const rowsOf = ({ writes }: Followed) => writes.values().reduce((sum, n) => sum + n, 0);

function show(label: string, of: readonly Followed[]): void {
  if (of.length === 0) return;
  const figures = (numbers: readonly number[], digits: number) =>
    [...[0.5, 0.95, 0.99].map((q) => quantile(numbers, q)), Math.max(...numbers)]
      .map((n) => n.toFixed(digits))
      .join("/");
  const columns = [
    `cpu ${figures(
      of.map((f) => f.cpuMs),
      2,
    )} ms`,
    `in force ${figures(
      of.map((f) => f.forceMs),
      2,
    )} ms`,
    `made ${figures(
      of.map((f) => f.megabytes),
      1,
    )} MB`,
    `rows ${figures(of.map(rowsOf), 0)}`,
  ];
  console.log(`${label.padEnd(16)} ${String(of.length).padStart(4)}  ${columns.join("  ")}`);
}

const passes: Followed[][] = [];
for (let i = 0; i < Number(values.repeat); i++) passes.push(await followOnce());
// What the observer was not told yet.
await new Promise((resolve) => setTimeout(resolve, 100));
const least = (passes[0] ?? []).map((_, i) =>
  passes.map((pass) => pass[i] as Followed).reduce((a, b) => (b.cpuMs < a.cpuMs ? b : a)),
);
console.log("p50/p95/p99/most of");
show("all", least);
for (const name of CHANGES)
  show(
    name,
    least.filter((f) => f.event.name === name),
  );
for (const dialect of DIALECTS)
  show(
    dialect,
    least.filter((f) => f.event.dialect === dialect),
  );
const slowest = least.toSorted((a, b) => b.forceMs - a.forceMs).slice(0, Math.ceil(TAIL * least.length));
for (const f of slowest) {
  const { name, dialect, put, gone } = f.event;
  const key = put === undefined ? gone?.key : keyOf(put);
  const written = [...f.writes].map(([what, n]) => `${what} ${n}`).join(" ");
  console.log(
    `${f.forceMs.toFixed(1)} of ${f.cpuMs.toFixed(1)} ms, ${f.megabytes.toFixed(1)} MB, ${collectionsIn(f)}: ${name} ${dialect ?? ""} ${key}: ${written}`,
  );
}
