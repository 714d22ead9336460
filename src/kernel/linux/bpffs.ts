/**
 * Names and files below the pin directory:
 *
 *     NAME                     a map
 *     NAME_next                a map that is about to replace NAME
 *     programs/TAG/NAME        a program of the object with that tag
 *     current -> programs/TAG  the object that is loaded; replaced by rename, last of all
 *     links/DEVICE:DIRECTION   a tcx link
 *     sockets/HOOK             a link of a control group; HOOK_next: one that is about to replace it
 *
 * A bpffs takes no names with a dot; device names may have one.
 */

import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { KernelError } from "../kernel.ts";
import { loadAddon } from "./addon.ts";
import { attempt } from "./failure.ts";

const BPF_FS_MAGIC = 0xcafe4a11;
const CURRENT = "current";
const PROGRAMS = "programs";
const LINKS = "links";
const SOCKETS = "sockets";
const NEXT = "_next";

/** Mounts a bpffs at a directory unless one is there. For the lab and tests; hosts have theirs by systemd. */
export function mountBpffs(directory: string): void {
  if (isBpffs(directory)) return;
  attempt(`mount a bpffs on "${directory}"`, () => {
    mkdirSync(directory, { recursive: true });
    loadAddon().mount("bpf", directory, "bpf", 0, "mode=0700");
  });
}

/** Whether a directory lies on a bpffs. */
function isBpffs(directory: string): boolean {
  try {
    return statfsSync(directory).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

/**
 * Makes the directories.
 * @throws KernelError ENOTSUP when the place is not on a bpffs
 */
export function prepareDirectory(directory: string): void {
  let existing = directory;
  while (statOf(existing) === undefined && dirname(existing) !== existing) existing = dirname(existing);
  if (!isBpffs(existing))
    throw new KernelError(
      `pin below "${directory}"`,
      "ENOTSUP",
      95,
      `"${existing}" is not on a bpffs: "mount -t bpf bpf /sys/fs/bpf" would make it`,
    );
  attempt(`make "${directory}"`, () => {
    mkdirSync(join(directory, PROGRAMS), { recursive: true, mode: 0o700 });
    mkdirSync(join(directory, LINKS), { recursive: true, mode: 0o700 });
    mkdirSync(join(directory, SOCKETS), { recursive: true, mode: 0o700 });
  });
}

function statOf(path: string): "file" | "directory" | "other" | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other";
}

/** Path of a map's pin. */
export function mapPin(directory: string, map: string): string {
  return join(directory, map);
}

/** Names of the pinned maps, sorted; none when there is no directory. */
export function pinnedMaps(directory: string): string[] {
  // At its root a bpffs shows two files of its own, with a dot in their names.
  return entries(directory, "file").filter((name) => !name.endsWith(NEXT) && !name.includes("."));
}

function entries(directory: string, kind: "file" | "directory"): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((e) => (kind === "file" ? e.isFile() : e.isDirectory()))
      .map((e) => e.name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Pins a map in place of the one that is pinned there now, if any, in one step. */
export function pinMapOver(directory: string, map: string, fd: number): void {
  pinOver(`pin map "${map}"`, mapPin(directory, map), fd);
}

/** Pins something in place of what is pinned at that path now, if anything, in one step. */
export function pinOver(op: string, path: string, fd: number): void {
  attempt(op, () => {
    const next = `${path}${NEXT}`;
    rmSync(next, { force: true });
    loadAddon().objPin(fd, next);
    renameSync(next, path);
  });
}

/** Removes the pins of maps that are not named. */
export function unpinOtherMaps(directory: string, keep: ReadonlySet<string>): void {
  for (const name of entries(directory, "file"))
    if (!keep.has(name) && !name.includes(".")) rmSync(join(directory, name), { force: true });
}

/** The tag of the loaded object; undefined when there is none. */
export function currentTag(directory: string): string | undefined {
  try {
    return basename(readlinkSync(join(directory, CURRENT)));
  } catch {
    return undefined;
  }
}

/** Directory of the programs of one object. */
export function programDirectory(directory: string, tag: string): string {
  return join(directory, PROGRAMS, tag);
}

/** Names of the pinned programs of an object. */
export function pinnedPrograms(directory: string, tag: string): string[] {
  return entries(programDirectory(directory, tag), "file");
}

/** Pins the programs of an object in its own directory; what a crash left there is removed first. */
export function pinPrograms(directory: string, tag: string, programs: ReadonlyMap<string, number>): void {
  attempt("pin programs", () => {
    const place = programDirectory(directory, tag);
    removeTree(place);
    mkdirSync(place, { mode: 0o700 });
    for (const [name, fd] of programs) loadAddon().objPin(fd, join(place, name));
  });
}

/** Makes an object the current one, atomically, and forgets the programs of all others. */
export function switchCurrent(directory: string, tag: string): void {
  attempt("make the loaded programs the current ones", () => {
    const next = join(directory, `${CURRENT}${NEXT}`);
    rmSync(next, { force: true });
    symlinkSync(join(PROGRAMS, tag), next);
    renameSync(next, join(directory, CURRENT));
    for (const other of entries(join(directory, PROGRAMS), "directory"))
      if (other !== tag) removeTree(programDirectory(directory, other));
  });
}

function removeTree(directory: string): void {
  for (const name of entries(directory, "file")) unlinkSync(join(directory, name));
  for (const name of entries(directory, "directory")) removeTree(join(directory, name));
  if (statOf(directory) === "directory") rmdirSync(directory);
}

/** A hook of a device, as the pin's name says it. */
export interface LinkPin {
  readonly link: string;
  readonly direction: "ingress" | "egress";
  readonly path: string;
}

/** The pin of a tcx link. */
export function linkPin(directory: string, link: string, direction: "ingress" | "egress"): LinkPin {
  const name = link.replace(/[^A-Za-z0-9_-]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return { link, direction, path: join(directory, LINKS, `${name}:${direction}`) };
}

/** All pins of tcx links. */
export function linkPins(directory: string): LinkPin[] {
  const pins: LinkPin[] = [];
  for (const name of entries(join(directory, LINKS), "file")) {
    const match = /^([A-Za-z0-9_%-]+):(ingress|egress)$/.exec(name);
    if (match === null) continue;
    const link = (match[1] ?? "").replace(/%([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    pins.push({ link, direction: match[2] === "egress" ? "egress" : "ingress", path: join(directory, LINKS, name) });
  }
  return pins;
}

/** The pin of a link of a control group. */
export function socketPin(directory: string, hook: string): string {
  return join(directory, SOCKETS, hook);
}

/** Removes a pin; none there is no error. */
export function unpin(path: string): void {
  attempt(`unpin "${path}"`, () => rmSync(path, { force: true }));
}
