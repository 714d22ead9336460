/** `bench cni`: ADD and DEL of Twill and of Debian's reference plugins, called as a container runtime calls them. */

import { createInterface } from "node:readline";
import { type Box, runIn, spawnIn } from "../src/lab/box.ts";
import { openNodeBox } from "../src/lab/underlay.ts";
import type { TwillNode } from "../test/fixture/twill-nodes.ts";
import { type Network, opensPorts, PLUGIN_DIRECTORY, peerNetworks, twillNetworks } from "./cni-networks.ts";
import type { Task, TaskResult } from "./cni-runner.ts";
import { loadBenchAddon } from "./native.ts";
import type { BenchOptions } from "./path.ts";
import { quantile, type RowSpec, type RowWithRanges, type Sample, summarize, TWILL } from "./stats.ts";
import { startBenchNodes } from "./twill.ts";

/** portmap calls iptables several times: fewer make a long run already. */
const SERIAL = { alone: 60, ported: 15 } as const;
const QUICK_SERIAL = { alone: 20, ported: 3 } as const;
const AT_ONCE = 64;

const SPECS: readonly RowSpec[] = [
  ...["cni", "cni.portmap"].flatMap((name) => [
    { name: `${name}.add.p50`, unit: "ms" },
    { name: `${name}.add.p99`, unit: "ms" },
    { name: `${name}.del.p50`, unit: "ms" },
    { name: `${name}.del.p99`, unit: "ms" },
  ]),
  { name: "cni.parallel64.rate", unit: "1/s" },
  { name: "cni.parallel64.del-rate", unit: "1/s" },
];

/** A process in a box that carries out tasks. */
interface Runner {
  readonly networks: readonly Network[];
  run(task: Task): Promise<TaskResult>;
}

/** Builds a node for the peers and one for Twill, races them in turns, and removes all of it. */
export async function benchCni(options: BenchOptions): Promise<RowWithRanges[]> {
  options.log(`In every figure: ${spawnFloorMs().toFixed(2)} ms to start and end a program that does nothing`);
  await using stack = new AsyncDisposableStack();
  const runners = [await twillRunner(stack), await peerRunner(stack)];
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const runner of runners) {
      for (const network of runner.networks) {
        options.signal.throwIfAborted();
        samples.push(...(await measure(runner, network, round, options)));
      }
    }
  }
  return summarize(SPECS, samples);
}

async function peerRunner(stack: AsyncDisposableStack): Promise<Runner> {
  const box = await openNodeBox({ name: "peers", index: 1, v4: "", v6: "", mac: "" });
  stack.defer(() => box.close());
  // Debian keeps them elsewhere than Kubernetes; the box has /opt to itself.
  const copied = await runIn(box, ["sh", "-c", `cp /usr/lib/cni/* ${PLUGIN_DIRECTORY}/`]);
  if (copied.code !== 0)
    throw new Error("Cannot find the reference plugins: run apt-get install containernetworking-plugins");
  return startRunner(box, peerNetworks());
}

async function twillRunner(stack: AsyncDisposableStack): Promise<Runner> {
  // As many addresses as the peers have.
  const podCidrs = ["10.244.4.0/22", "fd00:10:244:1::/64"];
  const [node] = (await startBenchNodes(stack, { count: 1, podCidrs })) as [TwillNode];
  const { name, plugins } = node.network();
  return startRunner(node.box, twillNetworks(name, plugins));
}

function startRunner(box: Box, networks: readonly Network[]): Runner {
  const script = new URL("cni-runner.ts", import.meta.url).pathname;
  const child = spawnIn(box, [process.execPath, script], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    networks,
    async run(task) {
      child.stdin?.write(`${JSON.stringify(task)}\n`);
      const line = await lines.next();
      if (line.done === true) throw new Error("Cannot go on: the runner in the box ended");
      return JSON.parse(line.value) as TaskResult;
    },
  };
}

/** What starting any program at all costs here, as a part of every figure. */
function spawnFloorMs(): number {
  const addon = loadBenchAddon();
  const one = (): number => addon.runPrograms([{ path: "/bin/true", env: [], input: "" }])[0]?.milliseconds ?? 0;
  return quantile(Array.from({ length: SERIAL.alone }, one), 0.5);
}

async function measure(runner: Runner, network: Network, round: number, options: BenchOptions): Promise<Sample[]> {
  const isPorted = opensPorts(network);
  const subject = network.subject.startsWith(TWILL) ? TWILL : network.subject;
  const sample = (row: string, value: number): Sample => ({ row, subject, round, value });
  const serial = options.isQuick ? QUICK_SERIAL : SERIAL;
  const one = await runner.run({ network, count: isPorted ? serial.ported : serial.alone, isParallel: false });
  const prefix = isPorted ? "cni.portmap" : "cni";
  const samples = [
    sample(`${prefix}.add.p50`, quantile(one.addMs, 0.5)),
    sample(`${prefix}.add.p99`, quantile(one.addMs, 0.99)),
    sample(`${prefix}.del.p50`, quantile(one.delMs, 0.5)),
    sample(`${prefix}.del.p99`, quantile(one.delMs, 0.99)),
  ];
  const add = quantile(one.addMs, 0.5).toFixed(2);
  if (isPorted) {
    options.log(`round ${round + 1}/${options.rounds} ${network.subject}: ADD ${add} ms`);
    return samples;
  }
  const all = await runner.run({ network, count: AT_ONCE, isParallel: true });
  const rate = (AT_ONCE / all.addAllMs) * 1e3;
  options.log(
    `round ${round + 1}/${options.rounds} ${network.subject}: ADD ${add} ms, ${AT_ONCE} at once ${rate.toFixed(0)} /s`,
  );
  return [
    ...samples,
    sample("cni.parallel64.rate", rate),
    sample("cni.parallel64.del-rate", (AT_ONCE / all.delAllMs) * 1e3),
  ];
}
