/** Pods that come and go through the real plugin, whose processes are killed at random points. */

import { spawnIn } from "../../src/lab/box.ts";
import { type Attachment, addNetwork, deleteNetwork, type ExecPlugin } from "../../src/lab/kubelet/cni.ts";
import { pluginRunner } from "../../src/lab/kubelet/sandbox.ts";
import { childrenOf, identify, signalProcess } from "../../src/lab/process.ts";
import { exitStatus, type Output } from "../../src/lab/run.ts";
import type { TwillNode } from "../fixture/twill-nodes.ts";

/** Numbers that a seed determines (mulberry32). @returns 0 inclusive to 1 exclusive */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a churn did. */
export interface ChurnReport {
  readonly adds: number;
  readonly addFailures: number;
  readonly dels: number;
  readonly delRetries: number;
  readonly pluginKills: number;
}

/** How a churn goes. */
export interface ChurnOptions {
  readonly node: TwillNode;
  readonly random: () => number;
  /** ADDs and DELs in all. */
  readonly operations: number;
  /** Pods worked on at the same time. */
  readonly workers: number;
  readonly podsAtMost: number;
  /** Share of calls whose process is killed after a random time. */
  readonly killShare: number;
}

const KILL_WITHIN_MS = 12;
const DEL_TRIES = 50;
/** As a kubelet does it goes on trying, however soon each is refused. */
const DEL_PATIENCE_MS = 120_000;

/** Runs the churn as a kubelet would: a failed ADD is followed by DEL, and DEL is repeated until it succeeds. */
export class Churn {
  /** Attachments whose ADD succeeded and that were not deleted. */
  readonly living = new Map<string, Attachment>();
  readonly #options: ChurnOptions;
  readonly #exec: ExecPlugin;
  readonly #report = { adds: 0, addFailures: 0, dels: 0, delRetries: 0, pluginKills: 0 };
  #serial = 0;

  constructor(options: ChurnOptions) {
    this.#options = options;
    const calm = pluginRunner(options.node.box);
    this.#exec = (call) => (options.random() < options.killShare ? this.#killed(call) : calm(call));
  }

  /** ADDs and DELs so far. */
  get operations(): number {
    return this.#report.adds + this.#report.dels;
  }

  /** @returns what was done, when all operations are through and no call is under way */
  async run(): Promise<ChurnReport> {
    let left = this.#options.operations;
    const work = async (): Promise<void> => {
      while (left-- > 0) await this.#step();
    };
    await Promise.all(Array.from({ length: this.#options.workers }, work));
    return this.#report;
  }

  /** Deletes what lives. */
  async end(): Promise<void> {
    for (const attachment of [...this.living.values()]) await this.#delete(attachment);
  }

  async #step(): Promise<void> {
    const { random, podsAtMost } = this.#options;
    const ids = [...this.living.keys()];
    if (ids.length === 0 || (ids.length < podsAtMost && random() < 0.55)) return this.#add();
    const attachment = this.living.get(ids[Math.floor(random() * ids.length)] ?? "");
    if (attachment !== undefined) await this.#delete(attachment);
  }

  async #add(): Promise<void> {
    const { node } = this.#options;
    const containerId = `churn-${this.#serial++}`;
    const attachment: Attachment = {
      containerId,
      netns: `/run/netns/${containerId}`,
      ifname: "eth0",
      args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=churn;K8S_POD_NAME=${containerId}`,
      capabilityArgs: {},
    };
    await node.run(["ip", "netns", "add", containerId]);
    this.#report.adds++;
    try {
      await addNetwork(this.#exec, node.network(), attachment);
      this.living.set(containerId, attachment);
    } catch {
      this.#report.addFailures++;
      await this.#delete(attachment);
    }
  }

  async #delete(attachment: Attachment): Promise<void> {
    const { node, random } = this.#options;
    this.living.delete(attachment.containerId);
    this.#report.dels++;
    // A pod may die with its namespace before anybody calls DEL.
    const diesFirst = random() < 0.3;
    if (diesFirst) await node.run(["ip", "netns", "del", attachment.containerId]);
    const now = diesFirst ? { ...attachment, netns: random() < 0.5 ? "" : attachment.netns } : attachment;
    const end = performance.now() + DEL_PATIENCE_MS;
    for (let tries = 1; ; tries++) {
      try {
        await deleteNetwork(this.#exec, node.network(), now);
        break;
      } catch (failure) {
        if (tries >= DEL_TRIES && performance.now() > end) throw failure;
        this.#report.delRetries++;
      }
    }
    if (!diesFirst) await node.run(["ip", "netns", "del", attachment.containerId]);
  }

  /** Runs the plugin and kills its process in the middle, if it takes long enough. */
  async #killed({ type, env, stdin }: Parameters<ExecPlugin>[0]): Promise<Output> {
    const child = spawnIn(this.#options.node.box, [`/opt/cni/bin/${type}`], {
      env: { ...env, CNI_PATH: "/opt/cni/bin", PATH: process.env["PATH"] ?? "" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output.stdout += text;
    });
    child.stderr?.resume();
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(stdin);
    const timer = setTimeout(() => {
      // nsenter waits in front of the plugin, which has children of its own when the agent is away.
      const own = childrenOf(child.pid ?? 0)[0];
      const id = own === undefined ? undefined : identify(own);
      if (id !== undefined && signalProcess(id, "SIGKILL")) this.#report.pluginKills++;
    }, this.#options.random() * KILL_WITHIN_MS);
    return new Promise((resolve) => {
      child.once("close", (code, signal) => {
        clearTimeout(timer);
        resolve({ ...output, code: exitStatus(code, signal) });
      });
    });
  }
}
