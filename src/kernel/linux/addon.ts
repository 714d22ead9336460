/**
 * The native addon, typed. Only this folder, the lab and tests use it: everything else speaks to a `Kernel`.
 *
 * A wrong argument throws TypeError or RangeError and changes nothing. A failed system call throws an Error with `code`
 * (as "EEXIST"), `errno` (positive) and `syscall`. Descriptors are plain numbers that the caller closes; handles close
 * what they own on their own close function, and at the latest when they are collected.
 */

import { createRequire } from "node:module";
import process from "node:process";
import { ADDON_SOURCES } from "./gen/addon-sources.ts";
import { homeFile } from "./home.ts";

/** A network namespace: a path, or an open descriptor of one. */
export type NetnsRef = string | number;

declare const handle: unique symbol;
/** An open BPF map that knows its sizes. */
export interface MapHandle {
  readonly [handle]: "map";
}
/** An ELF object opened by libbpf. */
export interface ObjectHandle {
  readonly [handle]: "object";
}
/** A mapped BPF ring buffer. */
export interface RingHandle {
  readonly [handle]: "ring";
}
/** A descriptor that is watched by the event loop. */
export interface PollHandle {
  readonly [handle]: "poll";
}

/** What the kernel says of a map. */
export interface AddonMapInfo {
  readonly fd: number;
  readonly id: number;
  readonly type: number;
  /** At most 15 characters: longer names are cut by the kernel. */
  readonly name: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Bytes of a value in calls: for per-CPU maps `valueBytes` rounded up to 8 for every possible CPU. */
  readonly wireValueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
}

/** A map as an object file declares it. */
export interface ObjectMap {
  readonly name: string;
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** -1 before the object is loaded; the object's own afterwards. */
  readonly fd: number;
  /** Of the compiler's making, as `.rodata`. */
  readonly isInternal: boolean;
}

/** A program of an object file. */
export interface ObjectProgram {
  readonly name: string;
  readonly section: string;
  readonly type: number;
  /** -1 before the object is loaded; the object's own afterwards. */
  readonly fd: number;
}

/** How far a batch came: `errno` 0 means to the end. */
export interface BatchResult {
  readonly done: number;
  readonly errno: number;
}

/** What one run of a program left. */
export interface TestRun {
  readonly retval: number;
  /** Average time of one repetition, in nanoseconds. */
  readonly durationNs: number;
  readonly data: Buffer;
  readonly ctx: Buffer;
}

/** An address of a socket; empty host for packet sockets. */
export interface SocketName {
  readonly host: string;
  readonly port: number;
}

/** The functions of `build/twill.node`; the comment above each C function says more. */
export interface Addon {
  /** What it is built from, as `native/sources.mjs` says it; undefined: an addon that did not say so yet. */
  readonly sources?: string;

  // Namespaces and mounts, all of the calling thread.
  openNetns(netns: NetnsRef): number;
  /** `dev:ino`; undefined when the path leads to no network namespace. */
  netnsId(netns: NetnsRef): string | undefined;
  /** Runs `fn` with the calling thread in the namespace, and always returns. `fn` must be synchronous. */
  withNetns<T>(netns: NetnsRef, fn: () => T): T;
  unshare(flags: number): void;
  setns(fd: number, type: number): void;
  mount(source: string, target: string, type: string, flags: number, data: string): void;
  umount(target: string, flags: number): void;

  // Descriptors.
  close(fd: number): void;
  dupFd(fd: number): number;

  /** Gives memory that nothing uses back to the kernel; the C library keeps it otherwise. @param keepBytes not these */
  trimMemory(keepBytes: number): void;

  // Netlink.
  netlinkOpen(netns: NetnsRef | undefined, protocol: number, groups: number): number;
  netlinkSend(fd: number, messages: Uint8Array): void;
  /** One datagram; undefined when none is there (with `wait`: within five seconds). */
  netlinkReceive(fd: number, wait: boolean): Buffer | undefined;
  /**
   * Sends the message that deletes a device, on a socket of its own that it takes over, and returns as soon as the index
   * names no device any more: an errno, 0 for success. A thread waits for the kernel to finish.
   */
  netlinkDelete(fd: number, message: Uint8Array, lookFd: number, index: number): number;
  /** Index of a device in the namespace of a socket (netlink or other); 0: there is none. */
  ifIndex(fd: number, name: string): number;
  ifName(fd: number, index: number): string | undefined;

  // Sockets that belong to a namespace; non-blocking, undefined means that it would block.
  socket(netns: NetnsRef | undefined, family: number, type: number, protocol: number): number;
  connect(fd: number, host: string, port: number): boolean;
  bind(fd: number, host: string, port: number): void;
  bindPacket(fd: number, ifindex: number, etherType: number): void;
  listen(fd: number, backlog: number): void;
  accept(fd: number): (SocketName & { readonly fd: number }) | undefined;
  socketName(fd: number): SocketName;
  peerName(fd: number): SocketName;
  send(fd: number, data: Uint8Array, host?: string, port?: number): number | undefined;
  receive(fd: number, flags?: number): (SocketName & { readonly data: Buffer; readonly flags: number }) | undefined;
  getOption(fd: number, level: number, name: number): Buffer;
  setOption(fd: number, level: number, name: number, value: number | Uint8Array): void;

  // BPF maps.
  mapAdopt(fd: number): MapHandle;
  mapCreate(
    type: number,
    keyBytes: number,
    valueBytes: number,
    maxEntries: number,
    flags: number,
    name: string,
  ): MapHandle;
  mapClose(map: MapHandle): void;
  mapInfo(map: MapHandle): AddonMapInfo;
  mapGet(map: MapHandle, key: Uint8Array): Buffer | undefined;
  /** `flags`: 0 any, 1 only when new, 2 only when there. */
  mapPut(map: MapHandle, key: Uint8Array, value: Uint8Array, flags?: number): void;
  mapDelete(map: MapHandle, key: Uint8Array): boolean;
  /** Entries in the map; undefined when its type or the kernel has no batches. Arrays are always full. */
  mapCount(map: MapHandle): number | undefined;
  mapNextKey(map: MapHandle, key?: Uint8Array): Buffer | undefined;
  mapPutBatch(map: MapHandle, keys: Uint8Array, values: Uint8Array, count: number): BatchResult;
  mapDeleteBatch(map: MapHandle, keys: Uint8Array, count: number): BatchResult;
  mapGetBatch(
    map: MapHandle,
    cursor: Uint8Array | undefined,
    count: number,
  ): { readonly count: number; readonly keys: Buffer; readonly values: Buffer; readonly next: Buffer | undefined };

  // BPF objects, programs and links.
  objectOpen(elf: Uint8Array, name: string): ObjectHandle;
  objectMaps(object: ObjectHandle): ObjectMap[];
  objectResize(object: ObjectHandle, map: string, maxEntries: number): void;
  objectReuse(object: ObjectHandle, map: string, fd: number): void;
  /** The program will not be loaded. */
  objectLeaveOut(object: ObjectHandle, program: string): void;
  objectLoad(object: ObjectHandle): void;
  objectPrograms(object: ObjectHandle): ObjectProgram[];
  objectClose(object: ObjectHandle): void;
  /** Whether this kernel has programs of a kind (linux/bpf.h, enum bpf_prog_type). */
  hasProgramType(type: number): boolean;
  objPin(fd: number, path: string): void;
  objGet(path: string): number | undefined;
  mapById(id: number): number | undefined;
  progById(id: number): number | undefined;
  progInfo(fd: number): {
    readonly id: number;
    readonly type: number;
    readonly name: string;
    readonly tag: string;
    readonly mapIds: readonly number[];
  };
  /** `ifindex` 0 of a tcx link: the device is gone. `cgroupId` 0 of a link of a control group: the group is. */
  linkInfo(fd: number): {
    readonly id: number;
    readonly progId: number;
    readonly type: number;
    readonly ifindex: number;
    readonly cgroupId: number;
    readonly attachType: number;
  };
  /** Attaches to a directory of a cgroup2 file system, beside whatever is on that hook already. */
  cgroupCreate(path: string, progFd: number, attachType: number): number;
  tcxCreate(netns: NetnsRef | undefined, progFd: number, ifindex: number, attachType: number): number;
  linkUpdate(linkFd: number, progFd: number): void;
  linkDetach(linkFd: number): void;
  tcxQuery(
    netns: NetnsRef | undefined,
    ifindex: number,
    attachType: number,
  ): { readonly progIds: readonly number[]; readonly linkIds: readonly number[]; readonly revision: number };
  /** BPF_PROG_TEST_RUN; `ctx` is a `struct __sk_buff` (192 bytes) or none. */
  testRun(
    netns: NetnsRef | undefined,
    progFd: number,
    data: Uint8Array,
    ctx: Uint8Array | undefined,
    repeat: number,
  ): TestRun;

  // Ring buffers: records of u32 length, u32 0, data padded to 8; native byte order.
  ringOpen(mapFd: number): RingHandle;
  ringDrain(ring: RingHandle, maxBytes: number): Buffer;
  ringPending(ring: RingHandle): number;
  ringClose(ring: RingHandle): void;

  // The event loop. `events`: 1 readable, 2 writable, 4 hang-up.
  pollStart(fd: number, events: number, callback: (errno: number, events: number) => void): PollHandle;
  pollStop(poll: PollHandle): void;
  pollRef(poll: PollHandle, keepsAlive: boolean): void;
}

/** An error of a system call, as the addon throws it. */
export interface SyscallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

/** Whether a thrown value is a failed system call. */
export function isSyscallError(error: unknown): error is SyscallError {
  return error instanceof Error && "errno" in error && "syscall" in error && "code" in error;
}

let loaded: Addon | undefined;

/**
 * Loads the addon once: from `TWILL_ADDON`, or from `build/twill.node` of this checkout.
 * @throws Error that says how to build it: it is not there, or it is built from other sources than this code goes with
 */
export function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  const path = process.env["TWILL_ADDON"] ?? homeFile("build/twill.node");
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new Error(`Cannot load the addon "${path}": node scripts/run.mjs setup would build it`, { cause });
  }
  const { sources = "older ones" } = addon;
  if (sources !== ADDON_SOURCES)
    throw new Error(
      `Cannot use the addon "${path}": it is built from other sources (${sources}) than this code goes with (${ADDON_SOURCES}); node scripts/run.mjs setup would build it anew`,
    );
  loaded = addon;
  return loaded;
}
