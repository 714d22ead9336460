/**
 * A box: a set of namespaces (network, mount, host name, processes) and a control group, with an init that lives as long
 * as we do.
 *
 * The init reads its standard input, whose other end only we hold. When we end, by whatever signal, it reads
 * end-of-file and exits, and the kernel kills all that runs in the box and frees its devices and mounts. Crash safety is
 * the kernel's work; the lab's sweep only removes files.
 */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { cgroup2Root } from "../kernel/linux/control-group.ts";
import { type BoxGroup, inGroup, inGroupOf, makeBoxGroup } from "./control-group.ts";
import { childrenOf, identify, type ProcessId } from "./process.ts";
import { type Output, runProcess } from "./run.ts";

/** A made box. */
export interface Box {
  readonly name: string;
  /** Process 1 of the box, as numbered outside. */
  readonly init: ProcessId;
  /** Its parent, which dies with it. */
  readonly keeper: ProcessId;
  /** Path of the network namespace, valid outside. */
  readonly netns: string;
  /** Path of the root directory, valid outside. */
  readonly root: string;
  /** Resolves when the box is gone. */
  readonly ended: Promise<void>;
  /** Ends everything in the box and waits until it is gone. */
  close(): Promise<void>;
}

/** How a command enters a box. */
export interface EnterOptions {
  /** Another network namespace instead of the box's: a path that is valid outside. */
  readonly netns?: string;
  /** Only the network namespace: files and processes stay the caller's. */
  readonly isNetOnly?: boolean;
}

/** The command line that runs `argv` in a box. */
export function enterCommand(
  box: Pick<Box, "init" | "netns">,
  argv: readonly string[],
  options: EnterOptions = {},
): string[] {
  const net = `--net=${options.netns ?? box.netns}`;
  if (options.isNetOnly === true) return inGroupOf(box.init.pid, ["nsenter", net, "--", ...argv]);
  // -r: in a chroot, entering a mount namespace alone would lead to the file system outside of it.
  // -w: and keep a working directory that lies outside of it.
  const enter = ["nsenter", "-t", String(box.init.pid), "-m", "-u", "-p", "-r", "-w", net, "--", ...argv];
  return inGroupOf(box.init.pid, enter);
}

/** Starts a command in a box. */
export function spawnIn(
  box: Pick<Box, "init" | "netns">,
  argv: readonly string[],
  options: SpawnOptions & EnterOptions = {},
): ChildProcess {
  const { netns, isNetOnly, ...rest } = options;
  const [file = "", ...args] = enterCommand(box, argv, {
    ...(netns === undefined ? {} : { netns }),
    ...(isNetOnly === undefined ? {} : { isNetOnly }),
  });
  return spawn(file, args, { cwd: "/", ...rest });
}

/** Runs a command in a box to its end. See {@link runProcess}. */
export function runIn(
  box: Pick<Box, "init" | "netns">,
  argv: readonly string[],
  options: EnterOptions & {
    readonly input?: string;
    readonly timeoutMs?: number;
    readonly env?: NodeJS.ProcessEnv;
  } = {},
): Promise<Output> {
  const { input, timeoutMs, env, ...enter } = options;
  return runProcess(enterCommand(box, argv, enter), {
    ...(input === undefined ? {} : { input }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(env === undefined ? {} : { env }),
  });
}

/** What to make. */
export interface BoxSpec {
  readonly name: string;
  /** Shell lines that init runs first, inside; a line that fails ends the box. */
  readonly setUp: readonly string[];
}

const READY = "box-is-ready";
const START_DEADLINE_MS = 60_000;

/** The box's group is the root of all that it sees of control groups; without one it sees none that it could attach to. */
function mountGroup(group: BoxGroup | undefined): string[] {
  const mount = group?.mount ?? cgroup2Root();
  if (mount === undefined) return [];
  const over = group === undefined ? "-t tmpfs -o ro,size=4k none" : `--bind "${group.path}"`;
  return [`[ ! -d "${group?.path ?? mount}" ] || mount ${over} "${mount}"`];
}

function initScript(spec: BoxSpec, group: BoxGroup | undefined): string {
  return [
    "set -e",
    `echo '${spec.name}' > /proc/sys/kernel/hostname`,
    "mount -t proc proc /proc",
    ...spec.setUp,
    ...mountGroup(group),
    `echo ${READY}`,
    // bash, not sh: it reaps whatever is re-parented to process 1 while it waits.
    "while read -r _; do :; done",
    "exit 0",
    "",
  ].join("\n");
}

/**
 * Makes a box and waits until its set-up is done.
 * @throws Error with what the set-up printed
 */
export async function openBox(spec: BoxSpec): Promise<Box> {
  if (!/^[a-z0-9-]{1,63}$/.test(spec.name))
    throw new RangeError(`"${spec.name}" is not a host name of lower-case letters, digits and hyphens`);
  const group = makeBoxGroup(spec.name);
  try {
    return await startBox(spec, group);
  } catch (failure) {
    await group?.remove();
    throw failure;
  }
}

async function startBox(spec: BoxSpec, group: BoxGroup | undefined): Promise<Box> {
  const unshare = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child=KILL"];
  const argv = [...unshare, "--propagation", "private", "--", "bash", "-s", `twill-lab/${spec.name}`];
  const [file = "", ...args] = group === undefined ? argv : inGroup(group, argv);
  // Its own session: a terminal's Ctrl-C is ours to handle, in our order.
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, cwd: "/" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()).once("error", () => resolve()));
  child.stdin?.on("error", () => {
    // EPIPE: the box ended first, and `ended` says so.
  });
  child.stdin?.write(initScript(spec, group));
  await whenReady(child, spec.name);
  const keeper = identify(child.pid ?? 0);
  const init = identify(childrenOf(child.pid ?? 0)[0] ?? 0);
  if (keeper === undefined || init === undefined) {
    child.kill("SIGKILL");
    throw new Error(`Cannot make the box "${spec.name}": its first process ended at once`);
  }
  return {
    name: spec.name,
    init,
    keeper,
    netns: `/proc/${init.pid}/ns/net`,
    root: `/proc/${init.pid}/root`,
    ended,
    async close() {
      child.stdin?.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(timer);
      await group?.remove();
    },
  };
}

function whenReady(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let out = "";
    let err = "";
    const timer = setTimeout(() => fail(`it was not ready after ${START_DEADLINE_MS / 1000} s`), START_DEADLINE_MS);
    const fail = (why: string, cause?: unknown) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`Cannot make the box "${name}": ${why}${err === "" ? "" : `: ${err.trim()}`}`, { cause }));
    };
    child.once("error", (cause) => fail(cause.message, cause));
    child.once("close", (code) => fail(`its set-up ended with status ${code}`));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (err.length < 4_096) err += text;
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (out.length < 4_096) out += text;
      if (!out.includes(READY)) return;
      clearTimeout(timer);
      child.removeAllListeners("close").removeAllListeners("error");
      child.on("error", () => {});
      resolve();
    });
  });
}
