/** A long-running command in a box: its output goes to a log, its end and its first sign of readiness are promises. */

import { statSync } from "node:fs";
import type { Writable } from "node:stream";
import type { Box } from "./box.ts";
import { spawnIn } from "./box.ts";
import type { LogFile } from "./kubelet/log-file.ts";
import { allPids, childrenOf, identify, type ProcessId, signalProcess } from "./process.ts";
import { exitStatus } from "./run.ts";

/** What to run. */
export interface TaskSpec {
  readonly box: Pick<Box, "init" | "netns">;
  /** Another network namespace than the box's, as a path that is valid outside. */
  readonly netns?: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly log: LogFile;
  /** A line of standard output that says that the command does its work; undefined: it does from the start. */
  readonly readyLine?: RegExp;
  /** Whether the command's standard input is kept open for who attaches; else it reads nothing. */
  readonly hasInput?: boolean;
}

/** How a command ended. */
export interface TaskEnd {
  /** Exit status as shells count: 128 + signal. */
  readonly code: number;
  readonly atMs: number;
}

/** Hears a piece of output. */
export type OutputListener = (stream: "stdout" | "stderr", text: string) => void;

/** A running command. */
export interface Task {
  readonly startedMs: number;
  readonly ended: Promise<TaskEnd>;
  /** Resolves with false when the command ended before it was ready. */
  readonly ready: Promise<boolean>;
  /** The command's own process, as numbered outside; undefined before it started and after its end. */
  process(): ProcessId | undefined;
  /** @returns whether there was a process to signal */
  signal(signal: NodeJS.Signals): boolean;
  /** What the command reads; undefined when it has no input. */
  readonly input: Writable | undefined;
  /** Calls `listener` with all further output. @returns ends it */
  onOutput(listener: OutputListener): () => void;
  /** SIGTERM, and SIGKILL after the grace period. Resolves at the end. */
  stop(graceMs: number): Promise<TaskEnd>;
  /** SIGKILL, however young the command is. Resolves at the end. */
  kill(): Promise<TaskEnd>;
}

/** How long after a command's end its output may still come. */
const DRAIN_MS = 500;

/** Starts a command in a box. */
export function startTask(spec: TaskSpec): Task {
  const child = spawnIn(spec.box, spec.argv, {
    ...(spec.netns === undefined ? {} : { netns: spec.netns }),
    env: spec.env,
    stdio: [spec.hasInput === true ? "pipe" : "ignore", "pipe", "pipe"],
    detached: true,
  });
  const startedMs = Date.now();
  let isReady = spec.readyLine === undefined;
  const { promise: ready, resolve: setReady } = Promise.withResolvers<boolean>();
  if (isReady) setReady(true);
  const { promise: ended, resolve: setEnded } = Promise.withResolvers<TaskEnd>();
  const listeners = new Set<OutputListener>();
  child.stdin?.on("error", () => {
    // EPIPE: the command ended or closed its input.
  });
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      spec.log.append(name, text);
      for (const listener of listeners) listener(name, text);
      if (!isReady && name === "stdout" && spec.readyLine?.test(text)) {
        isReady = true;
        setReady(true);
      }
    });
  }
  let isOver = false;
  const finish = (code: number) => {
    if (isOver) return;
    isOver = true;
    setReady(false);
    spec.log.close();
    setEnded({ code, atMs: Date.now() });
  };
  child.once("error", (cause) => {
    spec.log.append("stderr", `Cannot start "${spec.argv[0]}": ${cause.message}\n`);
    finish(127);
  });
  // A grandchild that keeps the pipe open must not keep the container alive: the rest of the output has some time.
  child.once("exit", (code, signal) => {
    const end = () => finish(exitStatus(code, signal));
    // What has come meanwhile is read first, however late this is: timers go before what can be read.
    const timer = setTimeout(() => setImmediate(end), DRAIN_MS);
    child.once("close", () => {
      clearTimeout(timer);
      end();
    });
  });
  return {
    ...signalling(ended, () => ownProcess(child.pid)),
    startedMs,
    ended,
    ready,
    input: child.stdin ?? undefined,
    onOutput(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function signalling(
  ended: Promise<TaskEnd>,
  find: () => ProcessId | undefined,
): Pick<Task, "process" | "signal" | "stop" | "kill"> {
  const signal = (name: NodeJS.Signals) => {
    const id = find();
    return id !== undefined && signalProcess(id, name);
  };
  const kill = async () => {
    signal("SIGKILL");
    // The command may be on its way into the namespaces: repeated until there is somebody to hear it.
    const again = setInterval(() => signal("SIGKILL"), 20);
    const end = await ended;
    clearInterval(again);
    return end;
  };
  return {
    process: find,
    signal,
    kill,
    async stop(graceMs) {
      const knock = setInterval(() => signal("SIGTERM") && clearInterval(knock), 5);
      const grace = setTimeout(() => {
        clearInterval(knock);
        void kill();
      }, graceMs);
      const end = await ended;
      clearInterval(knock);
      clearTimeout(grace);
      return end;
    },
  };
}

/** nsenter waits in front of the command, in our own namespaces: the command is its only child. */
function ownProcess(entererPid: number | undefined): ProcessId | undefined {
  const pid = entererPid === undefined ? undefined : childrenOf(entererPid)[0];
  return pid === undefined ? undefined : identify(pid);
}

/** Kills every process in a network namespace that we made and still hold. @returns how many there were */
export function killAllIn(netns: string): number {
  let ours: { dev: number; ino: number };
  try {
    ours = statSync(netns);
  } catch {
    return 0;
  }
  let count = 0;
  for (const pid of allPids()) {
    const id = identify(pid);
    if (id === undefined || pid === process.pid || !isInNetns(pid, ours)) continue;
    if (signalProcess(id, "SIGKILL")) count++;
  }
  return count;
}

function isInNetns(pid: number, ns: { dev: number; ino: number }): boolean {
  try {
    const s = statSync(`/proc/${pid}/ns/net`);
    return s.ino === ns.ino && s.dev === ns.dev;
  } catch {
    return false;
  }
}
