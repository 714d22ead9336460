/**
 * A lab's directory below `/run/twill-lab`: who runs it, what it made, where its API is. What a killed lab left there is
 * swept by the next one; processes are known by number and start time, so that nobody else's is ever touched.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sweepBoxGroups } from "./control-group.ts";
import { bootId, identify, isAlive, type ProcessId, signalProcess } from "./process.ts";

/** Where all labs of this machine are. */
const LABS_DIRECTORY = "/run/twill-lab";

/** What is written down of a lab. */
export interface LabState {
  readonly version: 1;
  readonly bootId: string;
  /** The process that runs it. */
  readonly owner: ProcessId;
  /** First processes of its boxes. */
  readonly boxes: readonly ProcessId[];
  /** Whether everything asked for is there. */
  readonly isUp: boolean;
  readonly kubeconfig: string;
}

/** A lab of this name runs. */
class LabRunsError extends Error {
  readonly code = "LAB_RUNS";
  constructor(name: string, owner: ProcessId) {
    super(`Lab "${name}" is up already (process ${owner.pid}): "twill lab down --name ${name}" would end it`);
    this.name = "LabRunsError";
  }
}

/** The directory of a lab. @throws RangeError for a name that is no label */
export function labDirectory(name: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name))
    throw new RangeError(`"${name}" is not a lab name: up to 32 lower-case letters, digits and hyphens are`);
  return join(LABS_DIRECTORY, name);
}

/** What is known of a lab; undefined: there is none. */
export function readState(name: string): LabState | undefined {
  try {
    const state = JSON.parse(readFileSync(join(labDirectory(name), "state.json"), "utf8")) as LabState;
    return state.version === 1 && state.bootId === bootId() ? state : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the state down, atomically. */
export function writeState(name: string, state: LabState): void {
  const path = join(labDirectory(name), "state.json");
  writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The identity of this process. */
export function self(): ProcessId {
  const id = identify(process.pid);
  if (id === undefined) throw new Error("Cannot read /proc: is it mounted?");
  return id;
}

/**
 * Takes a lab's name: sweeps what a killed one of the name left, and makes its directory.
 * @throws LabRunsError when it runs
 */
export function claim(name: string): string {
  const directory = labDirectory(name);
  const state = readState(name);
  if (state !== undefined && isAlive(state.owner)) throw new LabRunsError(name, state.owner);
  sweep(name);
  const owner = self();
  const fresh = join(LABS_DIRECTORY, `.new-${name}-${owner.pid}`);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true, mode: 0o700 });
  const first: LabState = {
    version: 1,
    bootId: bootId(),
    owner,
    boxes: [],
    isUp: false,
    kubeconfig: join(directory, "kubeconfig"),
  };
  writeFileSync(join(fresh, "state.json"), JSON.stringify(first), { mode: 0o600 });
  try {
    // With its state inside from the start: of two labs that begin at once one gets the name, and nobody sees half of it.
    renameSync(fresh, directory);
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true });
    const winner = readState(name);
    throw winner === undefined ? cause : new LabRunsError(name, winner.owner);
  }
  return directory;
}

/** Ends what is left of a lab whose owner is gone, and removes its directory. @returns whether there was anything */
export function sweep(name: string): boolean {
  const state = readState(name);
  if (state !== undefined && isAlive(state.owner)) return false;
  // Boxes end by themselves with their owner; this is for the instant in which they still do.
  for (const box of state?.boxes ?? []) signalProcess(box, "SIGKILL");
  sweepBoxGroups();
  return removeDirectory(name);
}

/** Removes a lab's directory, whatever is in it. @returns whether it was there */
export function removeDirectory(name: string): boolean {
  const dead = join(LABS_DIRECTORY, `.old-${name}-${process.pid}-${Date.now()}`);
  try {
    renameSync(labDirectory(name), dead);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw cause;
  }
  rmSync(dead, { recursive: true, force: true });
  try {
    rmdirSync(LABS_DIRECTORY);
  } catch {
    // Other labs are there.
  }
  return true;
}

/** Names of all labs, dead ones included. */
export function listLabs(): string[] {
  try {
    return readdirSync(LABS_DIRECTORY)
      .filter((name) => !name.startsWith("."))
      .toSorted();
  } catch {
    return [];
  }
}

const HALF_MADE_MS = 60_000;

/** Sweeps every lab whose owner is gone. @returns their names */
export function sweepAll(): string[] {
  for (const name of hiddenDirectories()) {
    const path = join(LABS_DIRECTORY, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > HALF_MADE_MS) rmSync(path, { recursive: true, force: true });
  }
  return listLabs().filter((name) => sweep(name));
}

function hiddenDirectories(): string[] {
  try {
    return readdirSync(LABS_DIRECTORY).filter((name) => name.startsWith("."));
  } catch {
    return [];
  }
}
