/**
 * The part of `bench cni` that runs inside a node's box, as a container runtime would: reads one task per line from
 * standard input, calls plugins, and writes one line of times. Started by cni.ts.
 */

import { spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { type Attachment, type Network, PLUGIN_DIRECTORY, pluginEnvironment, pluginInput } from "./cni-networks.ts";
import { type Ended, loadBenchAddon } from "./native.ts";

/** Attach and detach `count` pods, one after the other or all at once. */
export interface Task {
  readonly network: Network;
  readonly count: number;
  readonly isParallel: boolean;
}

/** Milliseconds: of each call where they ran one after the other, of the whole where they ran at once. */
export interface TaskResult {
  readonly addMs: readonly number[];
  readonly delMs: readonly number[];
  readonly addAllMs: number;
  readonly delAllMs: number;
}

const addon = loadBenchAddon();
let serial = 0;

function runTask(task: Task): TaskResult {
  const pods = Array.from({ length: task.count }, (): Attachment => {
    const containerId = `bench-${process.pid}-${serial++}`;
    return { containerId, netns: `/run/netns/${containerId}`, hostPort: 20_000 + (serial % 20_000) };
  });
  ipBatch(pods.map((pod) => `netns add ${pod.containerId}`));
  // Peers that attach IPv6 would wait almost two seconds for duplicate address detection, and nothing else be seen.
  if (task.network.plugins.length > 1) for (const { netns } of pods) withoutDad(netns);
  try {
    const results: unknown[] = pods.map(() => undefined);
    const add = callAll(task, "ADD", pods, results);
    const del = callAll(task, "DEL", pods, results);
    return { addMs: add.each, delMs: del.each, addAllMs: add.allMs, delAllMs: del.allMs };
  } finally {
    ipBatch(pods.map((pod) => `netns del ${pod.containerId}`));
  }
}

/** Calls the network's plugins for all pods; ADD in order with each result handed on, DEL in reverse with the last one. */
function callAll(task: Task, command: "ADD" | "DEL", pods: readonly Attachment[], results: unknown[]) {
  const { network } = task;
  const order = network.plugins.map((_, index) => index);
  if (command === "DEL") order.reverse();
  const groups = task.isParallel ? [pods.map((_, i) => i)] : pods.map((_, i) => [i]);
  const each: number[] = [];
  const begin = performance.now();
  for (const group of groups) {
    let sum = 0;
    for (const index of order) {
      const jobs = group.map((i) => ({
        path: `${PLUGIN_DIRECTORY}/${String(network.plugins[index]?.["type"])}`,
        env: pluginEnvironment(command, pods[i] as Attachment),
        input: pluginInput(network, index, pods[i] as Attachment, results[i]),
      }));
      addon.runPrograms(jobs).forEach((ended, at) => {
        const result = checked(ended, network, command);
        if (command === "ADD") results[group[at] as number] = result;
        sum += ended.milliseconds;
      });
    }
    each.push(sum);
  }
  return { each: task.isParallel ? [] : each, allMs: performance.now() - begin };
}

function checked(ended: Ended, network: Network, command: string): unknown {
  if (ended.status !== 0) throw new Error(`Cannot ${command} with ${network.subject}: ${ended.status} ${ended.output}`);
  return ended.output.trim() === "" ? undefined : JSON.parse(ended.output);
}

function ipBatch(lines: readonly string[]): void {
  const ended = spawnSync("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n`, encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`Cannot make namespaces: ${ended.error?.message ?? ended.stderr}`);
}

function withoutDad(netns: string): void {
  const settings = ["net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0"];
  const ended = spawnSync("nsenter", [`--net=${netns}`, "sysctl", "-q", "-w", ...settings], { encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`Cannot switch off duplicate address detection: ${ended.stderr}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(runTask(JSON.parse(line) as Task)));
}
