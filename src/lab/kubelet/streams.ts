/** `kubectl exec` and `kubectl logs`, served from the pods' processes and logs. */

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { PassThrough, Readable, type Writable } from "node:stream";
import type { ExecRequest, ExecSession, KubeletStreams, LogRequest } from "../../cluster/embedded/types.ts";
import { inGroupOf } from "../control-group.ts";
import { childrenOf, type ProcessId } from "../process.ts";
import { exitStatus } from "../run.ts";
import type { Task } from "../task.ts";
import type { PodContainer } from "./container.ts";
import type { LogFile, LogLine } from "./log-file.ts";
import { resizeTerminal, terminalCommand } from "./terminal.ts";
import type { PodWorker } from "./worker.ts";

/** Finds the worker of a pod on whichever node it runs. */
export type FindWorker = (namespace: string, name: string) => PodWorker | undefined;

function containerOf(find: FindWorker, namespace: string, pod: string, name: string): PodContainer {
  const worker = find(namespace, pod);
  if (worker === undefined) throw new Error(`pod "${namespace}/${pod}" does not run on any node`);
  const container = worker.container(name);
  if (container === undefined) throw new Error(`container "${name}" is not one of pod "${namespace}/${pod}"`);
  return container;
}

/** The environment that a process was started with. */
function environmentOf(pid: number): Record<string, string> {
  const out: Record<string, string> = {};
  for (const pair of readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")) {
    const at = pair.indexOf("=");
    if (at > 0) out[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return out;
}

/** The command line that joins a running process in all of its namespaces, and in its control group. */
export function joinCommand(id: ProcessId, command: readonly string[], isTty: boolean): string[] {
  const inner = isTty ? terminalCommand(command) : command;
  return inGroupOf(id.pid, ["nsenter", "-t", String(id.pid), "-m", "-u", "-p", "-n", "-r", "-w", "--", ...inner]);
}

/** Starts a command beside a running process. */
function startExec(
  id: ProcessId,
  request: Pick<ExecRequest, "command" | "tty" | "stdin">,
  signal: AbortSignal,
): ExecSession {
  const [file = "", ...args] = joinCommand(id, request.command, request.tty);
  const env = environmentOf(id.pid);
  const child = spawn(file, args, {
    stdio: [request.stdin ? "pipe" : "ignore", "pipe", "pipe"],
    env: request.tty ? { TERM: "xterm", ...env } : env,
    cwd: "/",
    detached: true,
  });
  const exit = new Promise<{ code: number } | { error: string }>((resolve) => {
    child.once("error", (e) => resolve({ error: e.message }));
    child.once("close", (code, signalName) => resolve({ code: exitStatus(code, signalName) }));
  });
  const kill = () => killTree(child);
  signal.addEventListener("abort", kill, { once: true });
  void exit.then(() => signal.removeEventListener("abort", kill));
  child.stdin?.on("error", () => {
    // EPIPE: the command ended, and its exit tells.
  });
  if (request.tty) child.stderr?.resume();
  return {
    stdin: child.stdin ?? undefined,
    stdout: child.stdout ?? Readable.from([]),
    stderr: request.tty ? undefined : (child.stderr ?? undefined),
    exit,
    resize: (columns, rows) => void resizeTerminal(() => childrenOf(child.pid ?? 0)[0], columns, rows),
    kill,
  };
}

/** The command is a child of nsenter, and with a terminal a grandchild: hanging up the last one first. */
function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const pids = [child.pid];
  for (const pid of pids) if (pids.length < 64) pids.push(...childrenOf(pid));
  for (const pid of pids.toReversed()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }
}

/** Joins a running container's own command. */
function attachTask(task: Task, isOnce: boolean, request: ExecRequest, signal: AbortSignal): ExecSession {
  const stdout = new Readable({ read() {} });
  const stderr = request.tty ? undefined : new Readable({ read() {} });
  const stopListening = task.onOutput((name, text) => (name === "stderr" && stderr ? stderr : stdout).push(text));
  const leave = () => {
    stopListening();
    stdout.push(null);
    stderr?.push(null);
    if (isOnce && request.stdin) task.input?.end();
  };
  signal.addEventListener("abort", leave, { once: true });
  // Through a stream of its own: who detaches must not close the command's input for the next one.
  const stdin = request.stdin && task.input ? new PassThrough() : undefined;
  stdin?.pipe(task.input as Writable, { end: isOnce });
  return {
    stdin,
    stdout,
    stderr,
    exit: task.ended.then((end) => {
      leave();
      return { code: end.code };
    }),
    resize: (columns, rows) => void resizeTerminal(() => task.process()?.pid, columns, rows),
    kill: leave,
  };
}

/** Lines of a log as `kubectl logs` shows them. */
export function formatLog(
  lines: readonly LogLine[],
  request: Pick<LogRequest, "timestamps" | "tailLines" | "sinceMs" | "limitBytes">,
): string {
  const since = lines.filter((l) => request.sinceMs === undefined || l.timeMs >= request.sinceMs);
  const tail = request.tailLines === undefined ? since : request.tailLines === 0 ? [] : since.slice(-request.tailLines);
  const text = tail.map((l) => formatLine(l, request.timestamps)).join("");
  return request.limitBytes === undefined ? text : Buffer.from(text).subarray(0, request.limitBytes).toString();
}

function formatLine(line: LogLine, hasTime: boolean): string {
  return `${hasTime ? `${new Date(line.timeMs).toISOString()} ` : ""}${line.text}\n`;
}

/** A log as a stream that may go on. */
export function readLog(log: LogFile, request: LogRequest, signal: AbortSignal): Readable {
  const stream = new Readable({ read() {} });
  const start = formatLog(log.lines(), request);
  if (start !== "") stream.push(start);
  if (!request.follow) {
    stream.push(null);
    return stream;
  }
  const end = log.follow((line) => stream.push(line === undefined ? null : formatLine(line, request.timestamps)));
  const stop = () => {
    end();
    if (!stream.readableEnded && !stream.destroyed) stream.push(null);
  };
  signal.addEventListener("abort", stop, { once: true });
  stream.once("close", () => {
    end();
    signal.removeEventListener("abort", stop);
  });
  return stream;
}

/** The streams of all pods of a lab. */
export function kubeletStreams(find: FindWorker): KubeletStreams {
  return {
    async exec(request, signal) {
      const id = containerOf(find, request.namespace, request.pod, request.container).process();
      if (id === undefined)
        throw new Error(`container "${request.container}" of pod "${request.namespace}/${request.pod}" is not running`);
      return startExec(id, request, signal);
    },
    async attach(request, signal) {
      const container = containerOf(find, request.namespace, request.pod, request.container);
      if (container.task === undefined) throw new Error(`container "${container.spec.name}" is not running`);
      return attachTask(container.task, container.spec.stdinOnce === true, request, signal);
    },
    async logs(request, signal) {
      const container = containerOf(find, request.namespace, request.pod, request.container);
      const log = container.log(request.previous);
      if (log !== undefined) return readLog(log, request, signal);
      if (request.previous)
        throw new Error(`previous terminated container "${request.container}" in pod "${request.pod}" not found`);
      throw new Error(`container "${request.container}" in pod "${request.pod}" is waiting to start`);
    },
  };
}
