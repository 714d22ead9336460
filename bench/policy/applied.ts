/**
 * From a watch's event to the kernel's maps: a real agent on a node with real pods follows the API of a synthetic cluster,
 * whose objects change one by one.
 */

import { createInterface } from "node:readline";
import { spawnIn } from "../../src/lab/box.ts";
import { addNetwork } from "../../src/lab/kubelet/cni.ts";
import { pluginRunner } from "../../src/lab/kubelet/sandbox.ts";
import { writeIn } from "../../test/fixture/files.ts";
import { waitFor } from "../../test/fixture/sandbox.ts";
import { openNodes, type TwillNode } from "../../test/fixture/twill-nodes.ts";
import { installedTwill } from "../installed.ts";
import { goFirst } from "../priority.ts";
import { pidInBox, rssMb } from "../process.ts";
import { quantile, type RowSpec, type Sample, TWILL } from "../stats.ts";
import type { AppliedChange } from "./api-server.ts";
import { CHANGES, type ChangeName } from "./changes.ts";
import { type ClusterSize, LOCAL_NODE, makeCluster } from "./cluster.ts";
import type { RawObject } from "./policies.ts";

const PORT = 8001;
const KUBECONFIG = "/etc/twill/kubeconfig";

/** What changes: policies, pods, namespaces; and each way in which policies do. */
const GROUPS: Readonly<Record<string, (name: ChangeName) => boolean>> = {
  policy: (name) => name.startsWith("policy-"),
  pod: (name) => name.startsWith("pod-"),
  namespace: (name) => name.startsWith("namespace-"),
  ...Object.fromEntries(
    CHANGES.filter((name) => name.startsWith("policy-")).map((of) => [of, (name: ChangeName) => name === of]),
  ),
};
/** What is promised for a policy. */
const WITHIN_MS = 20;
const FIGURES = [
  ["p50", "ms"],
  ["p99", "ms"],
  ["most", "ms"],
  ["within", "%"],
  ["cpu.p50", "ms"],
  ["cpu.p99", "ms"],
] as const;

/** Rows of {@link AppliedBench}. */
export function appliedSpecs(policies: number): RowSpec[] {
  const at = `policy.${policies}.applied`;
  return [
    ...["start", "rss"].map((name) => ({ name: `${at}.${name}`, unit: name === "rss" ? "MB" : "ms" })),
    ...Object.keys(GROUPS).flatMap((name) =>
      FIGURES.map(([figure, unit]) => ({ name: `${at}.${name}.${figure}`, unit })),
    ),
  ];
}

/** A node whose agent follows a synthetic cluster. */
export class AppliedBench {
  readonly #node: TwillNode;
  readonly #size: ClusterSize;
  readonly #ask: (line: string) => Promise<string>;
  readonly #log: (line: string) => void;
  readonly startMs: number;

  private constructor(
    node: TwillNode,
    size: ClusterSize,
    ask: (line: string) => Promise<string>,
    log: (line: string) => void,
    startMs: number,
  ) {
    this.#node = node;
    this.#size = size;
    this.#ask = ask;
    this.#log = log;
    this.startMs = startMs;
  }

  /** Starts the API, the agent and the node's pods; all of it goes with the stack. */
  static async open(
    stack: AsyncDisposableStack,
    size: ClusterSize,
    log: (line: string) => void,
  ): Promise<AppliedBench> {
    const [node] = await openNodes(stack, {
      count: 1,
      program: installedTwill(stack),
      config: {
        cluster: "kube",
        kubeconfig: KUBECONFIG,
        clusterCIDRs: ["10.128.0.0/9", "fd00:10:244::/48"],
        allocateNodeCIDRs: false,
        // What one agent does for all, and again and again where an API forgets it.
        policy: { writeStatus: false },
      },
    });
    if (node === undefined) throw new RangeError("Cannot make no node");
    const ask = await startApi(stack, node, size);
    const cluster = { server: `http://127.0.0.1:${PORT}` };
    writeIn(
      node.box,
      KUBECONFIG,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "bench",
        clusters: [{ name: "bench", cluster }],
        contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
        users: [{ name: "bench", user: {} }],
      }),
    );
    const start = performance.now();
    node.startAgent({}, LOCAL_NODE);
    stack.defer(() => node.stopAgent());
    goFirst(await waitFor("the agent's process", () => node.agentPid()));
    await node.whenReady();
    const startMs = performance.now() - start;
    log(`The agent knew ${size.pods} pods and ${size.policies} policies ${startMs.toFixed(0)} ms after its start`);
    await attachAll(node, makeCluster(size).objects);
    return new AppliedBench(node, size, ask, log, startMs);
  }

  /** Changes the cluster in each way so many times. A 99th percentile needs hundreds of them: one round has all. */
  async measure(changes: number): Promise<Sample[]> {
    const pid = this.#node.agentPid();
    const rss = rssMb(pid);
    const all = JSON.parse(await this.#ask(`${changes} ${pidInBox(pid)}`)) as AppliedChange[];
    const at = `policy.${this.#size.policies}.applied`;
    const sample = (name: string, value: number): Sample => ({ row: `${at}.${name}`, subject: TWILL, round: 0, value });
    const samples = [sample("start", this.startMs), sample("rss", rss)];
    for (const [group, isOf] of Object.entries(GROUPS)) {
      const told = all.filter(({ name, ms }) => isOf(name) && ms !== undefined);
      const without = all.filter(({ name }) => isOf(name)).length - told.length;
      if (told.length === 0)
        throw new Error(`Cannot time changes of "${group}": none of ${without} reached the kernel`);
      const ms = told.map((c) => c.ms ?? 0);
      const cpuMs = told.map((c) => c.cpuMs);
      const values = [
        ...[quantile(ms, 0.5), quantile(ms, 0.99), Math.max(...ms)],
        (100 * ms.filter((t) => t <= WITHIN_MS).length) / ms.length,
        ...[quantile(cpuMs, 0.5), quantile(cpuMs, 0.99)],
      ];
      const [p50, p99, most, within, cpu50, cpu99] = values.map((v) => v.toFixed(2));
      this.#log(
        `event to map, ${group}: p50 ${p50} ms, p99 ${p99} ms, most ${most} ms of ${ms.length}, ${within} % within ${WITHIN_MS} ms; ` +
          `CPU time of all that followed p50 ${cpu50} ms, p99 ${cpu99} ms; ${without} had nothing to change`,
      );
      samples.push(...FIGURES.map(([figure], i) => sample(`${group}.${figure}`, values[i] ?? 0)));
    }
    return samples;
  }
}

async function startApi(stack: AsyncDisposableStack, node: TwillNode, size: ClusterSize) {
  const script = new URL("api-server.ts", import.meta.url).pathname;
  const argv = [process.execPath, script, String(PORT), JSON.stringify(size)];
  const child = spawnIn(node.box, argv, { stdio: ["pipe", "pipe", "inherit"] });
  stack.defer(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const next = async () => {
    const line = await lines.next();
    if (line.done === true) throw new Error("Cannot go on: the API in the box ended");
    return line.value;
  };
  await next();
  return async (request: string) => {
    child.stdin?.write(`${request}\n`);
    return next();
  };
}

/** Attaches the node's pods as a runtime does. */
async function attachAll(node: TwillNode, objects: readonly RawObject[]): Promise<void> {
  const pods = objects.flatMap(({ table, object }) => {
    const { metadata, spec } = object as {
      metadata: { namespace: string; name: string };
      spec?: { nodeName?: string };
    };
    return table === "pods" && spec?.nodeName === LOCAL_NODE ? [metadata] : [];
  });
  const ids = pods.map((_, i) => `bench-${i}`);
  await node.run(["ip", "-batch", "-"], { input: `${ids.map((id) => `netns add ${id}`).join("\n")}\n` });
  for (const [i, pod] of pods.entries()) {
    const id = ids[i] ?? "";
    await addNetwork(pluginRunner(node.box), node.network(), {
      containerId: id,
      netns: `/run/netns/${id}`,
      ifname: "eth0",
      args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name};K8S_POD_INFRA_CONTAINER_ID=${id}`,
      capabilityArgs: {},
    });
  }
}
