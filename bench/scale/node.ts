/** A node in a box, with the API of a large cluster beside an agent as an installed one is started. */

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { spawnIn } from "../../src/lab/box.ts";
import { addNetwork } from "../../src/lab/kubelet/cni.ts";
import { pluginRunner } from "../../src/lab/kubelet/sandbox.ts";
import { waitFor } from "../../test/fixture/sandbox.ts";
import { openNodes, type TwillNode } from "../../test/fixture/twill-nodes.ts";
import { installedTwill } from "../installed.ts";
import { goFirst } from "../priority.ts";
import type { ChangeOrder, ChangeResult } from "./changes.ts";
import { LOCAL_NODE, placeOf, type ScaleSize } from "./cluster.ts";
import { profileChanges, profileEnvironment, profileRest } from "./profile.ts";

const API_PORT = 6443;
const METRICS_PORT = 9878;
const METRICS = `http://127.0.0.1:${METRICS_PORT}/metrics`;
const KUBECONFIG = "/run/kubeconfig";
/** Half a minute where nobody else computes, several where many do. */
const KNOWN_DEADLINE_MS = 600_000;
/** Of the fixture's first node. */
const NODE_ADDRESSES = ["192.168.78.1", "fd00:78::1"];
/** Of the API: objects as JavaScript keeps them are some times their JSON. */
const API_FLAGS = ["--max-old-space-size=12000"];

/** See the file's comment. */
export class ScaleNode {
  readonly #node: TwillNode;
  readonly #size: ScaleSize;
  readonly #ask: (line: string) => Promise<string>;
  #isAttached = false;

  private constructor(node: TwillNode, size: ScaleSize, ask: (line: string) => Promise<string>) {
    this.#node = node;
    this.#size = size;
    this.#ask = ask;
  }

  /** Starts the API; agents are started by {@link start}. All of it goes with the stack. */
  static async open(stack: AsyncDisposableStack, size: ScaleSize, log: (line: string) => void): Promise<ScaleNode> {
    const [node] = await openNodes(stack, {
      count: 1,
      program: installedTwill(stack),
      config: {
        cluster: "kube",
        kubeconfig: KUBECONFIG,
        clusterCIDRs: ["10.128.0.0/9", "fd00:10:244::/48"],
        allocateNodeCIDRs: false,
        metrics: { listen: `127.0.0.1:${METRICS_PORT}` },
      },
    });
    if (node === undefined) throw new RangeError("Cannot make no node");
    const ask = await startApi(stack, node, size, log);
    stack.defer(() => node.stopAgent());
    return new ScaleNode(node, size, ask);
  }

  /** @returns milliseconds until a runtime would find the network ready, and until the kernel does what all policies say */
  async start(): Promise<{ readonly readyMs: number; readonly knownMs: number }> {
    const start = performance.now();
    this.#node.startAgent(profileEnvironment(), LOCAL_NODE);
    goFirst(await waitFor("the agent's process", () => this.#node.agentPid()));
    const after = (what: Promise<unknown>) => what.then(() => performance.now() - start);
    const [readyMs, knownMs] = await Promise.all([after(this.#node.whenReady()), after(this.#whenKnown())]);
    return { readyMs, knownMs };
  }

  /** One process asks again and again: to start one for each question would cost more than the agent. */
  async #whenKnown(): Promise<void> {
    const script = `
      const ask = () => fetch("${METRICS}").then((r) => r.text(), () => "");
      while (!/^twill_policy_ready 1$/m.test(await ask())) await new Promise((resolve) => setTimeout(resolve, 50));
    `;
    await this.#node.run([process.execPath, "--input-type=module", "-e", script], { timeoutMs: KNOWN_DEADLINE_MS });
  }

  stop(): Promise<void> {
    return this.#node.stopAgent();
  }

  agentPid(): number {
    const pid = this.#node.agentPid();
    if (pid === undefined) throw new Error(`Cannot measure an agent that has ended: ${this.#node.log().slice(-2000)}`);
    return pid;
  }

  /** Attaches the node's pods as a runtime does, if they are not yet. */
  async attach(count: number): Promise<void> {
    if (this.#isAttached) return;
    this.#isAttached = true;
    const node = this.#node;
    for (let i = 0; i < count; i++) {
      const pod = placeOf(this.#size, i);
      const id = `scale-${i}`;
      await node.run(["ip", "netns", "add", id]);
      await addNetwork(pluginRunner(node.box), node.network(), {
        containerId: id,
        netns: `/run/netns/${id}`,
        ifname: "eth0",
        args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name};K8S_POD_INFRA_CONTAINER_ID=${id}`,
        capabilityArgs: {},
      });
    }
  }

  /** What lives on the agent's heap, and what waits to be collected, as its own metrics tell. */
  async heapBytes(): Promise<number> {
    const script = `process.stdout.write(await (await fetch("${METRICS}")).text())`;
    const metrics = await this.#node.run([process.execPath, "--input-type=module", "-e", script]);
    const value = /^twill_agent_heap_bytes (\S+)$/m.exec(metrics)?.[1];
    if (value === undefined) throw new Error("Cannot read the agent's heap: its metrics do not tell");
    return Number(value);
  }

  /** See profile.ts. */
  snapshot(): Promise<void> {
    return profileRest(this.agentPid(), () => this.heapBytes());
  }

  async change(order: ChangeOrder): Promise<ChangeResult> {
    const profile = profileChanges(this.#node, this.agentPid(), order.seconds);
    const result = JSON.parse(await this.#ask(JSON.stringify(order))) as ChangeResult;
    await profile;
    return result;
  }
}

async function startApi(stack: AsyncDisposableStack, node: TwillNode, size: ScaleSize, log: (line: string) => void) {
  const script = fileURLToPath(new URL("api-server.ts", import.meta.url));
  const words = [String(API_PORT), KUBECONFIG, JSON.stringify(size), JSON.stringify(NODE_ADDRESSES)];
  const start = performance.now();
  const child = spawnIn(node.box, [process.execPath, ...API_FLAGS, script, ...words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  stack.defer(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const next = async () => {
    const line = await lines.next();
    if (line.done === true) throw new Error("Cannot go on: the API in the box ended");
    return line.value;
  };
  const { objects } = JSON.parse(await next()) as { readonly objects: number };
  log(`The API has ${objects} objects after ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return async (request: string) => {
    child.stdin?.write(`${request}\n`);
    return next();
  };
}
