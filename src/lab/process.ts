/** Processes by identity: a pid alone may belong to somebody else by the time it is used. */

import { readdirSync, readFileSync } from "node:fs";

/** A process that was seen: its number and when it started, which together are unique within a boot. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of `/proc/PID/stat`). */
  readonly startTicks: string;
}

function statFields(pid: number | string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command may hold spaces and parentheses: the fields begin after its last one.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** The identity of a running process; undefined when there is none. A zombie counts as gone. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statFields(pid);
  const startTicks = fields?.[19];
  return startTicks === undefined || fields?.[0] === "Z" ? undefined : { pid, startTicks };
}

/** Whether exactly this process still runs. */
export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.startTicks === id.startTicks;
}

/** Sends a signal to exactly this process. @returns whether it was there */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false;
  try {
    process.kill(id.pid, signal);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw cause;
  }
}

/** The children of a process, oldest first. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    // The file is optional in the kernel's configuration, and gone with the process.
    return identify(pid) === undefined ? [] : childrenByScan(pid);
  }
}

function childrenByScan(parent: number): number[] {
  return allPids().filter((pid) => statFields(pid)?.[1] === String(parent));
}

/** Every process that this namespace shows. */
export function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

/** What `/proc/sys/kernel/random/boot_id` says: identities of another boot mean nothing. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
