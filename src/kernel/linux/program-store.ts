/**
 * The loaded object: programs by name, from this process or adopted from the pins of an earlier one.
 *
 * A change of the object never disturbs what runs: maps of the same layout are shared by both versions; a map of another
 * layout is made anew, filled with the old one's entries when keys and values are alike, and takes over the pin by
 * rename, while links that still run the old programs keep the old map. Each link is then switched by putAttachment.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { SOCKET_HOOKS } from "../../plan/rows.ts";
import { KernelError, type Loaded, type LoadOptions } from "../kernel.ts";
import { type Addon, loadAddon, type MapHandle, type ObjectHandle, type ObjectMap } from "./addon.ts";
import {
  currentTag,
  mapPin,
  pinMapOver,
  pinnedMaps,
  pinnedPrograms,
  pinPrograms,
  prepareDirectory,
  programDirectory,
  switchCurrent,
  unpinOtherMaps,
} from "./bpffs.ts";
import { attempt, ERRNO } from "./failure.ts";
import type { MapStore } from "./map-store.ts";

/** A program that is loaded; the descriptor is the store's. */
export interface LoadedProgram {
  readonly name: string;
  readonly fd: number;
  readonly id: number;
}

const LOAD = "load programs";

/** BPF_PROG_TYPE_CGROUP_SOCK_ADDR: not there without CONFIG_CGROUP_BPF. */
const SOCKET_PROGRAM = 18;

/** Asks a kernel for a kind of programs (linux/bpf.h, enum bpf_prog_type). */
export type HasProgramType = (type: number) => boolean;

/** The programs of one pin directory. */
export class ProgramStore implements Disposable {
  readonly #addon: Addon = loadAddon();
  readonly #maps: MapStore;
  #programs: Map<string, LoadedProgram> | undefined;
  #directory: string;
  readonly #hasType: HasProgramType;
  #hasSockets: boolean | undefined;

  /** @param hasType default: this machine's kernel is asked */
  constructor(directory: string, maps: MapStore, hasType?: HasProgramType) {
    this.#directory = directory;
    this.#maps = maps;
    this.#hasType = hasType ?? ((type) => this.#addon.hasProgramType(type));
  }

  /** Whether the kernel has programs on the sockets of control groups: all others work without. */
  get hasSockets(): boolean {
    this.#hasSockets ??= attempt("ask for programs on sockets", () => this.#hasType(SOCKET_PROGRAM));
    return this.#hasSockets;
  }

  /** See Kernel.loadPrograms. */
  load(elf: Uint8Array, options: LoadOptions): Loaded {
    const leftOut = this.hasSockets ? [] : SOCKET_HOOKS.map((hook) => `sock_${hook}`);
    const loaded = this.#load(elf, options, leftOut);
    return leftOut.length === 0 ? loaded : { ...loaded, leftOut };
  }

  #load(elf: Uint8Array, options: LoadOptions, leftOut: readonly string[]): Loaded {
    const tag = tagOf(elf, options.maxEntries, leftOut);
    this.#directory = options.pinDirectory;
    prepareDirectory(this.#directory);
    this.#forget();
    this.#maps.reset(this.#directory);
    if (currentTag(this.#directory) === tag) {
      this.#programs = this.#adopt(tag);
      if (this.#programs !== undefined) return { tag, isSame: true };
    }
    this.#programs = this.#loadAnew(elf, tag, options.maxEntries, leftOut);
    return { tag, isSame: false };
  }

  /** All programs of the current object; none when nothing was ever loaded. */
  all(): ReadonlyMap<string, LoadedProgram> {
    if (this.#programs === undefined) {
      const tag = currentTag(this.#directory);
      this.#programs = (tag === undefined ? undefined : this.#adopt(tag)) ?? new Map();
    }
    return this.#programs;
  }

  /** @throws KernelError ENOENT when the object has no such program */
  get(op: string, name: string): LoadedProgram {
    const program = this.all().get(name);
    if (program === undefined) throw new KernelError(op, "ENOENT", ERRNO.ENOENT, `no program "${name}" is loaded`);
    return program;
  }

  /** A program by its number: whether it is one of those loaded now, and else by the first 15 characters of its name. */
  describe(id: number): { readonly program: string; readonly isCurrent: boolean } {
    for (const program of this.all().values()) if (program.id === id) return { program: program.name, isCurrent: true };
    const fd = attempt("describe a program", () => this.#addon.progById(id));
    if (fd === undefined) return { program: "", isCurrent: false };
    try {
      return { program: this.#addon.progInfo(fd).name, isCurrent: false };
    } finally {
      this.#addon.close(fd);
    }
  }

  /** The pinned programs, provided that they use the pinned maps. */
  #adopt(tag: string): Map<string, LoadedProgram> | undefined {
    const programs = new Map<string, LoadedProgram>();
    const mapIds = new Set<number>();
    for (const name of pinnedPrograms(this.#directory, tag)) {
      const fd = attempt(LOAD, () => this.#addon.objGet(join(programDirectory(this.#directory, tag), name)));
      if (fd === undefined) continue;
      const info = attempt(LOAD, () => this.#addon.progInfo(fd));
      programs.set(name, { name, fd, id: info.id });
      for (const id of info.mapIds) mapIds.add(id);
    }
    if (programs.size > 0 && this.#areMapsPinned(mapIds)) return programs;
    for (const { fd } of programs.values()) this.#addon.close(fd);
    return undefined;
  }

  #areMapsPinned(ids: ReadonlySet<number>): boolean {
    const pinned = new Set<number>();
    for (const name of pinnedMaps(this.#directory)) {
      const handle = this.#openPinned(name);
      if (handle !== undefined) pinned.add(this.#addon.mapInfo(handle).id);
      if (handle !== undefined) this.#addon.mapClose(handle);
    }
    for (const id of ids) if (!pinned.has(id) && !this.#isInternal(id)) return false;
    return true;
  }

  /** Compilers' own maps, as ".rodata", have a dot in their name and are never pinned. */
  #isInternal(id: number): boolean {
    const fd = attempt(LOAD, () => this.#addon.mapById(id));
    if (fd === undefined) return false;
    const handle = this.#adoptMap(fd);
    const { name } = this.#addon.mapInfo(handle);
    this.#addon.mapClose(handle);
    return name.includes(".");
  }

  #openPinned(name: string): MapHandle | undefined {
    const fd = attempt(LOAD, () => this.#addon.objGet(mapPin(this.#directory, name)));
    return fd === undefined ? undefined : this.#adoptMap(fd);
  }

  #adoptMap(fd: number): MapHandle {
    try {
      return attempt(LOAD, () => this.#addon.mapAdopt(fd));
    } catch (error) {
      this.#addon.close(fd);
      throw error;
    }
  }

  #loadAnew(
    elf: Uint8Array,
    tag: string,
    maxEntries: ReadonlyMap<string, number>,
    leftOut: readonly string[],
  ): Map<string, LoadedProgram> {
    const object = attempt(LOAD, () => this.#addon.objectOpen(elf, "twill"));
    const replaced = new Map<string, MapHandle>();
    try {
      this.#chooseMaps(object, maxEntries, replaced);
      for (const name of leftOut) attempt(LOAD, () => this.#addon.objectLeaveOut(object, name));
      attempt(LOAD, () => this.#addon.objectLoad(object));
      const programs = this.#keepPrograms(object);
      pinPrograms(this.#directory, tag, new Map([...programs.values()].map((p) => [p.name, p.fd])));
      this.#pinMaps(object, replaced);
      switchCurrent(this.#directory, tag);
      return programs;
    } finally {
      for (const handle of replaced.values()) this.#addon.mapClose(handle);
      this.#addon.objectClose(object);
    }
  }

  /** Sizes every map, and hands the object those that are pinned with the same layout. */
  #chooseMaps(object: ObjectHandle, maxEntries: ReadonlyMap<string, number>, replaced: Map<string, MapHandle>): void {
    const names = new Set(this.#addon.objectMaps(object).map((m) => m.name));
    for (const [name, entries] of maxEntries) {
      if (!names.has(name)) throw new KernelError(LOAD, "ENOENT", ERRNO.ENOENT, `the object has no map "${name}"`);
      attempt(`size map "${name}"`, () => this.#addon.objectResize(object, name, entries));
    }
    for (const wanted of this.#addon.objectMaps(object)) {
      const pinned = wanted.isInternal ? undefined : this.#openPinned(wanted.name);
      if (pinned === undefined) continue;
      const info = this.#addon.mapInfo(pinned);
      if (isSameLayout(info, wanted)) {
        attempt(LOAD, () => this.#addon.objectReuse(object, wanted.name, info.fd));
        this.#addon.mapClose(pinned);
      } else {
        replaced.set(wanted.name, pinned);
      }
    }
  }

  #keepPrograms(object: ObjectHandle): Map<string, LoadedProgram> {
    const programs = new Map<string, LoadedProgram>();
    for (const { name, fd } of this.#addon.objectPrograms(object)) {
      if (fd < 0) continue;
      const own = attempt(LOAD, () => this.#addon.dupFd(fd));
      programs.set(name, { name, fd: own, id: this.#addon.progInfo(own).id });
    }
    return programs;
  }

  #pinMaps(object: ObjectHandle, replaced: ReadonlyMap<string, MapHandle>): void {
    const maps = this.#addon.objectMaps(object).filter((m) => !m.isInternal);
    const pinned = new Set(pinnedMaps(this.#directory));
    for (const map of maps) {
      const old = replaced.get(map.name);
      if (old !== undefined) this.#copyEntries(old, map);
      if (old !== undefined || !pinned.has(map.name)) pinMapOver(this.#directory, map.name, map.fd);
    }
    unpinOtherMaps(this.#directory, new Set(maps.map((m) => m.name)));
  }

  #copyEntries(old: MapHandle, map: ObjectMap): void {
    const info = this.#addon.mapInfo(old);
    const isAlike =
      info.type === map.type &&
      info.keyBytes === map.keyBytes &&
      info.valueBytes === map.valueBytes &&
      map.keyBytes > 0;
    if (!isAlike) return;
    const handle = this.#adoptMap(this.#addon.dupFd(map.fd));
    attempt(`copy map "${map.name}"`, () => this.#maps.copy(old, handle));
    this.#addon.mapClose(handle);
  }

  #forget(): void {
    for (const { fd } of this.#programs?.values() ?? []) this.#addon.close(fd);
    this.#programs = undefined;
  }

  [Symbol.dispose](): void {
    this.#forget();
  }
}

/** What the loaded state follows from: the object's bytes, the sizes that were asked for, and what the kernel has no programs for. */
function tagOf(elf: Uint8Array, maxEntries: ReadonlyMap<string, number>, leftOut: readonly string[]): string {
  const sizes = [...maxEntries].sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash("sha256").update(elf).update(JSON.stringify(sizes));
  if (leftOut.length > 0) hash.update(leftOut.join());
  return hash.digest("hex");
}

function isSameLayout(a: Omit<ObjectMap, "name" | "isInternal">, b: Omit<ObjectMap, "name" | "isInternal">): boolean {
  return (
    a.type === b.type &&
    a.keyBytes === b.keyBytes &&
    a.valueBytes === b.valueBytes &&
    a.maxEntries === b.maxEntries &&
    a.flags === b.flags
  );
}
