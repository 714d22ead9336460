/** `bench services`: new connections through one, a thousand and ten thousand services, and how these get into the kernel. */

import { spawnSync } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { Sandbox } from "../test/fixture/sandbox.ts";
import type { BenchOptions } from "./path.ts";
import { kubeProxy, kubeProxyProgram, nftMap } from "./services/peers.ts";
import type { Subject } from "./services/subject.ts";
import { TwillServices } from "./services/twill.ts";
import { type RowSpec, type RowWithRanges, type Sample, summarize } from "./stats.ts";
import { measureConnections } from "./tools.ts";

const BACKENDS = 10;
const FULL = { sizes: [1, 1_000, 10_000], changes: 400 } as const;
const QUICK = { sizes: [1, 40], changes: 10 } as const;

/** Programs of the peers, with their Debian packages. */
const PEERS = { "iptables-legacy-restore": "iptables", nft: "nftables" };

function specs(sizes: readonly number[]): RowSpec[] {
  return sizes.flatMap((size) => {
    const row = (name: string, unit: string) => ({ name: `services.${size}.${name}`, unit });
    return [
      row("conn-rate", "1/s"),
      row("conn.p50", "us"),
      row("conn.p99", "us"),
      row("load", "ms"),
      row("applied.p50", "ms"),
      row("applied.p99", "ms"),
      row("rss", "MB"),
    ];
  });
}

/** Builds everybody, then measures them in turn at each size. */
export async function benchServices(options: BenchOptions): Promise<RowWithRanges[]> {
  const missing = Object.entries(PEERS).filter(([program]) => spawnSync("which", [program]).status !== 0);
  if (missing.length > 0)
    throw new Error(`Cannot measure the peers: run apt-get install ${missing.map(([, name]) => name).join(" ")}`);
  const { sizes, changes } = options.isQuick ? QUICK : FULL;
  await using stack = new AsyncDisposableStack();
  const box = stack.use(new Sandbox("twbs"));
  const twill = await TwillServices.open(stack, box, BACKENDS);
  const subjects = [...twill.subjects(), await nftMap(box, BACKENDS)];
  const program = kubeProxyProgram();
  if (program === undefined) options.log('kube-proxy is not measured: "npm run test:cluster" would build it');
  else subjects.push(await kubeProxy(stack, box, program, BACKENDS));
  const samples: Sample[] = [];
  for (const size of sizes) samples.push(...(await measureSize(subjects, size, options)));
  const largest = sizes.at(-1) ?? 0;
  samples.push(...(await twill.measureChanges(`services.${largest}`, changes)));
  return summarize(specs(sizes), samples);
}

async function measureSize(subjects: readonly Subject[], size: number, options: BenchOptions): Promise<Sample[]> {
  const samples: Sample[] = [];
  const add = (row: string, subject: Subject, round: number, value: number) =>
    samples.push({ row: `services.${size}.${row}`, subject: subject.name, round, value });
  for (const subject of subjects) {
    options.signal.throwIfAborted();
    const ms = await subject.load(size);
    if (ms === undefined) continue;
    options.log(`${subject.name}: ${size} services after ${ms.toFixed(0)} ms`);
    add("load", subject, 0, ms);
  }
  for (let round = 0; round < options.rounds; round++) {
    // Each round starts with another one, so that none always follows the same neighbour.
    for (const i of subjects.keys()) {
      const subject = subjects[(i + round) % subjects.length] as Subject;
      await setImmediate();
      options.signal.throwIfAborted();
      const { name, clientNetns, wrap } = subject;
      const times = measureConnections(name, clientNetns, subject.targets(size), options.seconds, wrap);
      options.log(
        `round ${round + 1}/${options.rounds} ${size} services, ${subject.name}: ${times.rate.toFixed(0)} conn/s, ${times.p50Us.toFixed(1)} us`,
      );
      add("conn-rate", subject, round, times.rate);
      add("conn.p50", subject, round, times.p50Us);
      add("conn.p99", subject, round, times.p99Us);
    }
  }
  return samples;
}
