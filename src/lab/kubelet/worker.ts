/** One pod on one node: brings what runs to what the object says, step by step, until the object is gone. */

import { join } from "node:path";
import type { KubeObject, ObjectClient, ObjectRef } from "../../cluster/embedded/types.ts";
import type { Box } from "../box.ts";
import { PodContainer } from "./container.ts";
import type { ContainerSpec } from "./image.ts";
import { closeSandbox, NetworkNotReady, openSandbox, type Sandbox } from "./sandbox.ts";
import { type PodFacts, podPhase, podStatus } from "./status.ts";

/** What workers of one node share. */
export interface WorkerContext {
  readonly nodeName: string;
  readonly box: Box;
  readonly objects: ObjectClient;
  readonly hostIPs: readonly string[];
  readonly logDirectory: string;
  /** Lets only so many sandboxes be made at once. */
  readonly limit: <T>(work: () => Promise<T>) => Promise<T>;
  readonly warn: (pod: KubeObject, reason: string, message: string) => void;
}

const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 5_000;

/** Runs one pod. */
export class PodWorker {
  readonly #context: WorkerContext;
  readonly #logDirectory: string;
  readonly #uid: string;
  #pod: KubeObject;
  #isGone = false;
  #sandbox: Sandbox | undefined;
  #init: PodContainer[];
  #containers: PodContainer[];
  #startedMs = Date.now();
  #failures = 0;
  #written = "";
  #wake: (() => void) | undefined;
  #isWoken = false;
  #isStopped = false;
  /** Resolves when the pod is gone, or the kubelet stopped. */
  readonly done: Promise<void>;

  constructor(context: WorkerContext, pod: KubeObject) {
    this.#context = context;
    this.#pod = pod;
    this.#uid = pod.metadata.uid;
    this.#logDirectory = join(
      context.logDirectory,
      `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`,
    );
    const make = (isInit: boolean) => (spec: ContainerSpec) =>
      new PodContainer(spec, isInit, this.#logDirectory, () => this.#poke());
    this.#init = ((pod["spec"]?.initContainers ?? []) as ContainerSpec[]).map(make(true));
    this.#containers = ((pod["spec"]?.containers ?? []) as ContainerSpec[]).map(make(false));
    this.done = this.#run();
  }

  get uid(): string {
    return this.#uid;
  }

  /** The sandbox, once it is there. */
  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  /** A container by name; without a name the first. */
  container(name: string | undefined): PodContainer | undefined {
    const all = [...this.#containers, ...this.#init];
    return name === undefined || name === "" ? all[0] : all.find((c) => c.spec.name === name);
  }

  /** Hands over the newest object; undefined: it was removed. */
  update(pod: KubeObject | undefined): void {
    if (pod === undefined) this.#isGone = true;
    else this.#pod = pod;
    this.#poke();
  }

  /** Ends the loop; what runs in the pod is left to whoever removes the node. */
  stop(): void {
    this.#isStopped = true;
    this.#poke();
  }

  #poke(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#isWoken = false;
      let waitMs: number | undefined;
      try {
        const isOver = await this.#sync((ms) => {
          waitMs = Math.min(waitMs ?? ms, ms);
        });
        if (isOver) return;
        this.#failures = 0;
      } catch (error) {
        if (this.#isStopped) return;
        // Whether the network is configured is cheap to ask; a plugin that failed is left in peace for a while.
        waitMs =
          error instanceof NetworkNotReady
            ? RETRY_FIRST_MS
            : Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** Math.min(10, this.#failures++));
        this.#explain(error);
      }
      await this.#sleep(waitMs);
    }
  }

  #sleep(ms: number | undefined): Promise<void> {
    if (this.#isWoken) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #explain(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#sandbox === undefined) {
      for (const c of this.#containers) c.explain("ContainerCreating", message);
    }
    this.#context.warn(this.#pod, this.#isEnding() ? "FailedKillPod" : "FailedCreatePodSandBox", message);
    this.#publish();
  }

  #isEnding(): boolean {
    return this.#isGone || this.#pod.metadata.deletionTimestamp !== undefined;
  }

  /** One round. @returns whether the pod is gone */
  async #sync(again: (ms: number) => void): Promise<boolean> {
    if (this.#isEnding()) {
      await this.#tearDown();
      return true;
    }
    const phase = podPhase(this.#facts(), this.#pod["spec"]?.restartPolicy ?? "Always");
    if (phase === "Succeeded" || phase === "Failed") {
      await this.#release();
      this.#publish();
      return false;
    }
    this.#sandbox ??= await this.#context.limit(() => openSandbox(this.#context.box, this.#pod));
    if (!this.#isEnding()) this.#step(this.#sandbox, again);
    this.#publish();
    return false;
  }

  #step(sandbox: Sandbox, again: (ms: number) => void): void {
    const [hostIP = ""] = this.#context.hostIPs;
    const place = { box: this.#context.box, netns: sandbox.netns, podIPs: this.#podIPs(), hostIP };
    const step = (c: PodContainer) => {
      const ms = c.step(this.#pod, place, Date.now());
      if (ms !== undefined) again(ms);
    };
    for (const c of this.#init) {
      const { state } = c.facts();
      if (state.kind === "terminated" && state.code === 0) continue;
      // Init containers run one after another: the first that is not through is the only one to step.
      step(c);
      return;
    }
    for (const c of this.#containers) step(c);
  }

  #podIPs(): readonly string[] {
    return this.#pod["spec"]?.hostNetwork === true ? this.#context.hostIPs : (this.#sandbox?.addresses ?? []);
  }

  #facts(): PodFacts {
    return {
      podIPs: this.#sandbox === undefined ? [] : this.#podIPs(),
      hostIPs: this.#context.hostIPs,
      startedMs: this.#startedMs,
      init: this.#init.map((c) => c.facts()),
      containers: this.#containers.map((c) => c.facts()),
    };
  }

  #ref(): ObjectRef {
    return {
      apiVersion: "v1",
      kind: "Pod",
      namespace: this.#pod.metadata.namespace ?? "default",
      name: this.#pod.metadata.name,
    };
  }

  #publish(): void {
    if (this.#isGone || this.#isStopped) return;
    const status = podStatus(this.#pod, this.#facts(), Date.now());
    const text = JSON.stringify(status);
    if (text === this.#written) return;
    if (this.#context.objects.get(this.#ref())?.metadata.uid !== this.#uid) return;
    this.#pod = this.#context.objects.patch(this.#ref(), { status }, "status");
    this.#written = text;
  }

  async #release(): Promise<void> {
    if (this.#sandbox === undefined) return;
    await closeSandbox(this.#context.box, this.#sandbox);
    this.#sandbox = undefined;
  }

  async #tearDown(): Promise<void> {
    const seconds =
      this.#pod.metadata.deletionGracePeriodSeconds ?? this.#pod["spec"]?.terminationGracePeriodSeconds ?? 30;
    const graceMs = this.#isGone ? 0 : seconds * 1000;
    await Promise.all([...this.#init, ...this.#containers].map((c) => c.stop(graceMs)));
    await this.#release();
    this.#publish();
    for (const c of [...this.#init, ...this.#containers]) c.removeLogs();
    if (!this.#isGone) this.#context.objects.delete(this.#ref(), { graceSeconds: 0, uid: this.#uid });
  }
}
