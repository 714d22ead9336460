/**
 * A control group for each box, in the cgroup2 file system: what a node's agent attaches to sockets is seen by that
 * node's processes and pods, and by nobody else of the machine. Below one named directory; what a killed run left is
 * swept by the next.
 */

import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroup2Root } from "../kernel/linux/control-group.ts";
import { identify } from "./process.ts";

const PARENT = "twill-lab";
/** Where processes are: a group that hands out controllers to others must not have processes of its own. */
const LEAF = "main";
const GONE_DEADLINE_MS = 30_000;
const MAX_TRIES = 10;

let count = 0;

/** A made group. */
export interface BoxGroup {
  /** Where its file system is mounted. */
  readonly mount: string;
  readonly path: string;
  /** Ends what is left in it, and removes it; what does not end in time is the next sweep's. */
  remove(): Promise<void>;
}

/** Makes a group for a box of this process; undefined: this machine has no cgroup2, or lets nobody make groups in it. */
export function makeBoxGroup(name: string): BoxGroup | undefined {
  const mount = cgroup2Root();
  const owner = identify(process.pid);
  if (mount === undefined || owner === undefined) return undefined;
  const parent = join(mount, PARENT);
  sweepBoxGroups();
  const path = join(parent, `${owner.pid}.${owner.startTicks}.${count++}-${name}`);
  return makeDirectory(join(path, LEAF)) ? { mount, path, remove: () => removeGroup(parent, path) } : undefined;
}

/** @returns false: nobody may make groups here */
function makeDirectory(path: string): boolean {
  for (let tries = 0; ; tries++) {
    try {
      mkdirSync(path, { recursive: true });
      return true;
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === "EROFS" || code === "EACCES" || code === "EPERM") return false;
      // Another lab removed the directory of all, which was empty, in this very moment.
      if (code !== "ENOENT" || tries === MAX_TRIES) throw cause;
    }
  }
}

/** The command line that runs `argv` in the group of a box's process, if it has one. */
export function inGroupOf(pid: number, argv: readonly string[]): string[] {
  const own = groupOf(pid);
  return own === undefined ? [...argv] : joining(own, argv);
}

/** The command line that runs `argv` in a made group. */
export function inGroup(group: BoxGroup, argv: readonly string[]): string[] {
  return joining(join(group.path, LEAF), argv);
}

/**
 * Runs with this whole process in the control group of a box's process: what it makes meanwhile belongs there, as a socket
 * does for good. `run` must be synchronous.
 */
export function asMemberOf<T>(pid: number, run: () => T): T {
  const [there, home] = [groupOf(pid), ownGroup()];
  if (there === undefined || home === undefined) return run();
  writeFileSync(join(there, "cgroup.procs"), "0");
  try {
    return run();
  } finally {
    writeFileSync(join(home, "cgroup.procs"), "0");
  }
}

function ownGroup(): string | undefined {
  const mount = cgroup2Root();
  const name = /^0::(\/[^\n]*)$/m.exec(text("/proc/self/cgroup"))?.[1];
  return mount === undefined || name === undefined ? undefined : join(mount, name);
}

function joining(path: string, argv: readonly string[]): string[] {
  return ["sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', path, ...argv];
}

function groupOf(pid: number): string | undefined {
  const name = /^0::(\/twill-lab\/[^\n]+)$/m.exec(text(`/proc/${pid}/cgroup`))?.[1];
  const mount = name === undefined ? undefined : cgroup2Root();
  return name === undefined || mount === undefined ? undefined : join(mount, name);
}

/** Removes the groups of processes that are gone. Nothing lives in them any more: boxes end with their owner. */
export function sweepBoxGroups(): void {
  const mount = cgroup2Root();
  if (mount === undefined) return;
  const parent = join(mount, PARENT);
  for (const name of directories(parent)) {
    const [, pid = "", startTicks] = /^([0-9]+)\.([0-9]+)\./.exec(name) ?? [];
    if (identify(Number(pid))?.startTicks !== startTicks) removeTree(join(parent, name));
  }
  rmdirIfEmpty(parent);
}

async function removeGroup(parent: string, path: string): Promise<void> {
  try {
    // Linux 5.14: also what is only in the box's network. Before, such processes keep the group.
    writeFileSync(join(path, "cgroup.kill"), "1");
  } catch {
    // No such file.
  }
  const endMs = Date.now() + GONE_DEADLINE_MS;
  while (!removeTree(path) && Date.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5));
  rmdirIfEmpty(parent);
}

/** @returns whether it is gone: a group that has members stays */
function removeTree(path: string): boolean {
  for (const name of directories(path)) removeTree(join(path, name));
  return rmdirIfEmpty(path);
}

function rmdirIfEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return true;
    if (code === "EBUSY" || code === "ENOTEMPTY") return false;
    throw cause;
  }
}

function directories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : []));
  } catch {
    return [];
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
