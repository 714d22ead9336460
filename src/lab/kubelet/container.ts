/** One container of a pod over its whole life: started, restarted by policy with back-off, ready or not. */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import type { Box } from "../box.ts";
import { startTask, type Task } from "../task.ts";
import { type ContainerSpec, containerCommand } from "./image.ts";
import { LogFile } from "./log-file.ts";
import { execStatus, isReadyNow, type ReadinessProbe } from "./readiness.ts";
import type { ContainerFacts, ContainerState, Termination } from "./status.ts";
import { terminalCommand } from "./terminal.ts";

/** First wait before a restart; it doubles up to the longest. Shorter than Kubernetes' 10 s and 5 min: this is a lab. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_LONGEST_MS = 10_000;
/** After running this long, the back-off begins anew. */
const BACKOFF_RESET_MS = 60_000;

/** Where a container runs. */
export interface ContainerPlace {
  readonly box: Box;
  readonly netns: string;
  readonly podIPs: readonly string[];
  readonly hostIP: string;
}

/** A container that is asked again and again to do what its pod wants. */
export class PodContainer {
  readonly spec: ContainerSpec & { readonly readinessProbe?: ReadinessProbe };
  readonly isInit: boolean;
  readonly #logDirectory: string;
  readonly #onChange: () => void;
  #task: Task | undefined;
  #state: ContainerState = { kind: "waiting", reason: "ContainerCreating" };
  #last: Termination | undefined;
  #id: string | undefined;
  #restarts = 0;
  #failuresInRow = 0;
  #isReady = false;
  #notBeforeMs = 0;
  #isHeld = false;
  #logs: LogFile[] = [];

  constructor(spec: ContainerSpec, isInit: boolean, logDirectory: string, onChange: () => void) {
    this.spec = spec;
    this.isInit = isInit;
    this.#logDirectory = logDirectory;
    this.#onChange = onChange;
  }

  /** The container's main process, when it runs. */
  process() {
    return this.#task?.process();
  }

  /** The running instance. */
  get task(): Task | undefined {
    return this.#task;
  }

  isRunning(): boolean {
    return this.#task !== undefined;
  }

  /** Log of the running or last instance, or of the one before. */
  log(isPrevious: boolean): LogFile | undefined {
    return this.#logs.at(isPrevious ? -2 : -1);
  }

  facts(): ContainerFacts {
    return {
      spec: this.spec,
      state: this.#state,
      last: this.#last,
      restarts: this.#restarts,
      isReady: this.#isReady,
      id: this.#id,
    };
  }

  /** Says why the container is not started yet. */
  explain(reason: string, message: string): void {
    if (this.#task === undefined && this.#state.kind === "waiting") this.#state = { kind: "waiting", reason, message };
  }

  /** While held, an ended container is not started again: tests take an agent away with it. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#onChange();
  }

  /**
   * Starts the container when it should run and does not.
   * @returns milliseconds until it is worth asking again; undefined: only after a change
   */
  step(pod: KubeObject, place: ContainerPlace, nowMs: number): number | undefined {
    if (this.#task !== undefined || this.#isHeld || !this.#shouldRun(pod)) return undefined;
    if (nowMs < this.#notBeforeMs) return this.#notBeforeMs - nowMs;
    const command = containerCommand(pod, this.spec, place);
    if (!command.ok) {
      this.#state = { kind: "waiting", reason: "ErrImagePull", message: command.error };
      return undefined;
    }
    if (this.#state.kind === "terminated" || this.#last !== undefined) this.#restarts++;
    this.#start(pod, place, command.value);
    return undefined;
  }

  #shouldRun(pod: KubeObject): boolean {
    const end = this.#state.kind === "terminated" ? this.#state : undefined;
    if (end === undefined) return true;
    const policy = pod["spec"]?.restartPolicy ?? "Always";
    if (this.isInit) return end.code !== 0 && policy !== "Never";
    return policy === "Always" || (policy === "OnFailure" && end.code !== 0);
  }

  #start(
    pod: KubeObject,
    place: ContainerPlace,
    command: { argv: readonly string[]; env: Readonly<Record<string, string>>; readyLine?: RegExp },
  ): void {
    const id = randomBytes(32).toString("hex");
    const log = new LogFile(join(this.#logDirectory, `${this.spec.name}-${this.#restarts}.log`));
    this.#logs.push(log);
    if (this.#logs.length > 2) this.#logs.shift()?.remove();
    const isOnHost = pod["spec"]?.hostNetwork === true;
    // A pod has its own host name; what its commands are named stays visible in `ps`, since sh replaces itself.
    const named = [
      "unshare",
      "-u",
      "--",
      "sh",
      "-c",
      'echo "$0" > /proc/sys/kernel/hostname; exec "$@"',
      pod.metadata.name,
    ];
    const argv = this.spec.tty === true ? terminalCommand(command.argv) : command.argv;
    const task = startTask({
      box: place.box,
      netns: place.netns,
      argv: isOnHost ? argv : [...named, ...argv],
      env: command.env,
      log,
      hasInput: this.spec.stdin === true,
      ...(command.readyLine === undefined ? {} : { readyLine: command.readyLine }),
    });
    this.#task = task;
    this.#id = id;
    if (this.#state.kind === "terminated") this.#last = this.#state;
    this.#state = { kind: "running", startedMs: task.startedMs };
    void task.ended.then((end) => this.#onEnd(id, end.code, task.startedMs, end.atMs));
    void this.#watchReadiness(task, pod, place);
  }

  async #watchReadiness(task: Task, pod: KubeObject, place: ContainerPlace): Promise<void> {
    if (!(await task.ready) || this.#task !== task) return;
    const probe = this.spec.readinessProbe;
    if (probe === undefined) return this.#setReady(true);
    const target = {
      box: place.box,
      podIP: place.podIPs[0] ?? place.hostIP,
      portByName: (name: string) => this.spec.ports?.find((p) => p.name === name)?.containerPort,
      exec: async (command: readonly string[], timeoutMs: number) => {
        const id = task.process();
        return id === undefined ? 1 : execStatus(place.box, id.pid, command, timeoutMs);
      },
    };
    for (let failures = 0; this.#task === task; ) {
      const isOk = await isReadyNow(probe, target);
      failures = isOk ? 0 : failures + 1;
      if (this.#task !== task) return;
      if (isOk || failures >= (probe.failureThreshold ?? 3)) this.#setReady(isOk);
      // Until it is ready for the first time, people wait: ask often.
      const period = this.#isReady || pod.metadata.deletionTimestamp ? (probe.periodSeconds ?? 10) * 1000 : 100;
      await Promise.race([new Promise((r) => setTimeout(r, period).unref()), task.ended]);
    }
  }

  #setReady(isReady: boolean): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    this.#onChange();
  }

  #onEnd(id: string, code: number, startedMs: number, endedMs: number): void {
    this.#task = undefined;
    this.#isReady = false;
    this.#failuresInRow = endedMs - startedMs >= BACKOFF_RESET_MS ? 0 : this.#failuresInRow + 1;
    // The first restart comes at once, as with Kubernetes.
    const wait =
      this.#failuresInRow <= 1 ? 0 : Math.min(BACKOFF_LONGEST_MS, BACKOFF_FIRST_MS * 2 ** (this.#failuresInRow - 2));
    this.#notBeforeMs = endedMs + wait;
    this.#state = { kind: "terminated", code, startedMs, endedMs, id };
    this.#onChange();
  }

  /** Sends a signal to the main process. @returns whether there was one */
  signal(signal: NodeJS.Signals): boolean {
    return this.#task?.signal(signal) ?? false;
  }

  /** Ends it, politely first. */
  async stop(graceMs: number): Promise<void> {
    await this.#task?.stop(graceMs);
  }

  /** Removes the logs. */
  removeLogs(): void {
    for (const log of this.#logs) log.remove();
    this.#logs = [];
  }
}
