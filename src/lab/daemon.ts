/**
 * The process that runs a lab. Who starts it hears what happens over the IPC channel; a lab that is not to be kept, or is
 * not up yet, ends when that channel closes, for whatever reason.
 */

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentConfig } from "./agent-set.ts";
import { serveControl } from "./control.ts";
import type { DemoEvent } from "./demo/events.ts";
import { runDemo } from "./demo/run.ts";
import { type Lab, startLab } from "./lab.ts";
import type { MatrixOptions } from "./probe/matrix.ts";
import { readState, removeDirectory } from "./state.ts";
import { addressesOf } from "./topology.ts";

/** What the starter asks for, as JSON in the first argument. */
export interface DaemonOrder {
  readonly name: string;
  readonly nodes: number;
  readonly agentConfig: AgentConfig;
  readonly mtuBytes?: number;
  readonly underlay: readonly (4 | 6)[];
  /** 0: no demonstration. */
  readonly podsPerNode: number;
  /** Stay up after the starter is gone. */
  readonly isKept: boolean;
}

/** How long agents may take to be ready when a lab comes up. */
const READY_MS = 60_000;
const MAX_LOG_LINES = 10_000;

function emit(event: DemoEvent): void {
  // A starter that went away is not an error: "disconnect" decides what that means.
  if (process.connected) process.send?.(event, undefined, undefined, () => {});
}

/** What `twill lab status` shows. */
export interface LabStatus {
  readonly name: string;
  readonly kubeconfig: string;
  readonly api: string;
  readonly startedAt: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly podCIDRs: readonly string[];
    readonly notReady: string | null;
    /** Process 1 of the node, as numbered outside. */
    readonly pid: number;
  }[];
  readonly pods: readonly {
    readonly name: string;
    readonly node: string;
    readonly addresses: readonly string[];
    readonly phase: string;
    /** A process in the pod; null: none runs. */
    readonly pid: number | null;
  }[];
  /** The host outside of the cluster: its process 1. */
  readonly outside: { readonly name: string; readonly addresses: readonly string[]; readonly pid: number };
}

function statusOf(lab: Lab, startedAt: string): LabStatus {
  return {
    name: lab.name,
    kubeconfig: lab.kubeconfig,
    api: lab.apiUrl,
    startedAt,
    nodes: lab.nodes.map(({ node, box, kubelet, podCIDRs }) => ({
      name: node.name,
      addresses: addressesOf(node, lab.topology.families),
      podCIDRs,
      notReady: kubelet.notReady ?? null,
      pid: box.init.pid,
    })),
    pods: lab.objects.list({ apiVersion: "v1", kind: "Pod" }).map((pod) => {
      const { namespace = "default", name } = pod.metadata;
      const node = String(pod["spec"]?.nodeName ?? "");
      const worker = lab.nodes.find((n) => n.node.name === node)?.kubelet.worker(namespace, name);
      return {
        name: `${namespace}/${name}`,
        node,
        addresses: ((pod["status"]?.podIPs ?? []) as { ip: string }[]).map((p) => p.ip),
        phase: String(pod["status"]?.phase ?? "Pending"),
        pid: worker?.container(undefined)?.process()?.pid ?? null,
      };
    }),
    outside: {
      name: "outside",
      addresses: [lab.topology.outside.v4, lab.topology.outside.v6],
      pid: lab.underlay.outside.init.pid,
    },
  };
}

async function main(): Promise<void> {
  const order = JSON.parse(process.argv[2] ?? "{}") as DaemonOrder;
  let closing: Promise<void> | undefined;
  let lab: Lab | undefined;
  let isUp = false;
  const close = () => {
    closing ??= (lab?.[Symbol.asyncDispose]() ?? Promise.resolve()).then(() => {
      // Told to end while the lab was still being made: its boxes end with this process, its directory here.
      if (readState(order.name)?.owner.pid === process.pid) removeDirectory(order.name);
      process.exit();
    });
    return closing;
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => void close());
  process.on("disconnect", () => {
    if (!order.isKept || !isUp) void close();
  });
  let logLines = 0;
  const onError = (error: unknown, doing: string) => {
    const text = `${new Date().toISOString()} Cannot ${doing}: ${error instanceof Error ? error.message : String(error)}\n`;
    if (lab !== undefined && logLines++ < MAX_LOG_LINES) appendFileSync(join(lab.directory, "lab.log"), text);
  };
  // A mistake of ours in one place ends the lab in order, and is written down: a kept lab has nobody else to tell.
  process.on("uncaughtException", (error) => {
    onError(error, "go on");
    emit({ kind: "error", message: error.stack ?? error.message });
    process.exitCode = 1;
    void close();
  });
  lab = await startLab({
    name: order.name,
    nodes: order.nodes,
    agentConfig: order.agentConfig,
    underlay: order.underlay,
    ...(order.mtuBytes === undefined ? {} : { mtuBytes: order.mtuBytes }),
    // Its zero is the start of this process.
    onStep: (text) => emit({ kind: "step", text, atMs: performance.now() }),
    onError,
  });
  const running = lab;
  const startedAt = new Date().toISOString();
  await serveControl(order.name, {
    status: () => statusOf(running, startedAt),
    probe: (options) => running.probe(options as MatrixOptions),
    // The answer goes out first.
    down: () => Promise.resolve(void setTimeout(() => void close(), 10)),
  });
  if (order.podsPerNode > 0) emit({ kind: "result", result: await runDemo(running, order.podsPerNode, emit) });
  else await running.ready(READY_MS);
  const pods = running.endpoints().filter((e) => e.kind === "pod");
  isUp = true;
  emit({
    kind: "up",
    name: order.name,
    kubeconfig: running.kubeconfig,
    nodes: running.nodes.map((n) => n.node.name),
    pods: pods.map((p) => p.name),
  });
}

main().catch((error: unknown) => {
  emit({ kind: "error", message: error instanceof Error ? error.message : String(error) });
  // The starter reads the reason and closes the channel, which ends the lab; a kept one ends here.
  setTimeout(() => process.kill(process.pid, "SIGTERM"), 100);
});
