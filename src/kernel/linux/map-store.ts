/** The pinned maps: opened once, written in batches where the kernel has them, read safely while others write. */

import { randomBytes } from "node:crypto";
import { encodeGeneration } from "../../net/gen/bpf-maps.ts";
import type { MapRow } from "../../plan/rows.ts";
import { KernelError, type MapInfo, type MapPage } from "../kernel.ts";
import { type Addon, type AddonMapInfo, loadAddon, type MapHandle } from "./addon.ts";
import { mapPin, pinnedMaps } from "./bpffs.ts";
import { attempt, ERRNO, errnoName, isKernelError } from "./failure.ts";
import { mapTypeName, RINGBUF } from "./map-types.ts";

/** The map whose entries flows remember, and the one that says when they changed (bpf/lib/types.h). */
const ENDPOINTS = "endpoints";
const GENERATION = "generation";
/** Entries in one batch call. */
const BATCH = 4096;
/** Below this many entries single calls are as fast. */
const SINGLE = 4;
/** A walk that has seen this many times the map's size is running in circles behind constant deletes. */
const MAX_ROUNDS = 8;

interface OpenMap {
  readonly handle: MapHandle;
  readonly info: AddonMapInfo;
}

/** The maps of one pin directory. */
export class MapStore implements Disposable {
  readonly #addon: Addon;
  readonly #open = new Map<string, OpenMap>();
  #directory: string;

  /** @param addon for tests: one that behaves as on a kernel with less */
  constructor(directory: string, addon: Addon = loadAddon()) {
    this.#directory = directory;
    this.#addon = addon;
  }

  /** Forgets the open maps: their pins may lead elsewhere now. */
  reset(directory: string): void {
    for (const { handle } of this.#open.values()) this.#addon.mapClose(handle);
    this.#open.clear();
    this.#directory = directory;
  }

  infos(): MapInfo[] {
    return pinnedMaps(this.#directory).map((name) => {
      const { info } = this.#map(name);
      const { keyBytes, wireValueBytes: valueBytes, maxEntries } = info;
      return { name, type: mapTypeName(info.type), keyBytes, valueBytes, maxEntries };
    });
  }

  rows(name: string): MapRow[] {
    const map = this.#map(name);
    if (map.info.type === RINGBUF) return [];
    return attempt(`read map "${name}"`, () => this.#walk(name, map));
  }

  count(name: string): number {
    const map = this.#map(name);
    if (map.info.type === RINGBUF) return 0;
    return attempt(`count map "${name}"`, () => this.#addon.mapCount(map.handle) ?? this.#walk(name, map).length);
  }

  page(name: string, cursor: Uint8Array | undefined, limit: number): MapPage {
    const map = this.#map(name);
    const op = `read map "${name}"`;
    for (let size = Math.max(1, limit); ; size *= 2) {
      try {
        const batch = attempt(op, () => this.#addon.mapGetBatch(map.handle, cursor, size));
        const rows = Array.from({ length: batch.count }, (_, i) => rowAt(batch, i, map.info));
        return { rows, next: batch.next };
      } catch (error) {
        // A kernel without batches for this kind of map: all of it is one page.
        if (isKernelError(error, "ENOTSUPP", "ENOTSUP", "EINVAL") && cursor === undefined)
          return { rows: this.rows(name), next: undefined };
        // One bucket of the hash holds more than the page: only a larger one can pass it.
        if (!isKernelError(error, "ENOSPC") || size > map.info.maxEntries) throw error;
      }
    }
  }

  get(name: string, key: Uint8Array): Uint8Array | undefined {
    const { handle } = this.#map(name);
    return attempt(`read map "${name}"`, () => this.#addon.mapGet(handle, key));
  }

  put(name: string, rows: readonly MapRow[]): void {
    const map = this.#map(name);
    try {
      attempt(`write map "${name}"`, () => {
        if (rows.length < SINGLE) for (const row of rows) this.#putOne(name, map, row);
        else for (let i = 0; i < rows.length; i += BATCH) this.#putBatch(name, map, rows.slice(i, i + BATCH));
      });
    } finally {
      this.#announce(name);
    }
  }

  delete(name: string, keys: readonly Uint8Array[]): void {
    const map = this.#map(name);
    try {
      attempt(`delete from map "${name}"`, () => {
        if (keys.length < SINGLE) for (const key of keys) this.#addon.mapDelete(map.handle, key);
        else for (let i = 0; i < keys.length; i += BATCH) this.#deleteBatch(map, keys.slice(i, i + BATCH));
      });
    } finally {
      this.#announce(name);
    }
  }

  /**
   * Flows remember where their pods are: a change of the endpoints, even one that stopped half way, has to be announced.
   * Any value will do that nobody has used before; two processes that write at once need not agree.
   */
  #announce(name: string): void {
    if (name !== ENDPOINTS) return;
    const value = encodeGeneration({ value: randomBytes(4).readUInt32LE() });
    try {
      this.#putOne(GENERATION, this.#map(GENERATION), { key: new Uint8Array(4), value });
    } catch (error) {
      // An object without that map remembers nothing.
      if (!isKernelError(error, "ENOENT")) throw error;
    }
  }

  /** Copies the entries of a map into one of the same key and value; what does not fit is left out and counted. */
  copy(from: MapHandle, to: MapHandle): number {
    const source = { handle: from, info: this.#addon.mapInfo(from) };
    const target = { handle: to, info: this.#addon.mapInfo(to) };
    let lost = 0;
    for (const row of this.#walk(source.info.name, source)) {
      try {
        this.#addon.mapPut(target.handle, row.key, row.value);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "E2BIG" && (error as NodeJS.ErrnoException).code !== "ENOSPC")
          throw error;
        lost++;
      }
    }
    return lost;
  }

  #map(name: string): OpenMap {
    const open = this.#open.get(name);
    if (open !== undefined) return open;
    const op = `open map "${name}"`;
    const fd = /^[A-Za-z0-9_]+$/.test(name)
      ? attempt(op, () => this.#addon.objGet(mapPin(this.#directory, name)))
      : undefined;
    if (fd === undefined)
      throw new KernelError(op, "ENOENT", ERRNO.ENOENT, `no map is pinned below "${this.#directory}" by that name`);
    const map = attempt(op, () => this.#adopt(fd));
    this.#open.set(name, map);
    return map;
  }

  #adopt(fd: number): OpenMap {
    try {
      const handle = this.#addon.mapAdopt(fd);
      return { handle, info: this.#addon.mapInfo(handle) };
    } catch (error) {
      this.#addon.close(fd);
      throw error;
    }
  }

  #putOne(name: string, map: OpenMap, row: MapRow): void {
    try {
      this.#addon.mapPut(map.handle, row.key, row.value);
    } catch (cause) {
      throw explainFull(name, map, cause);
    }
  }

  #putBatch(name: string, map: OpenMap, rows: readonly MapRow[]): void {
    const keys = pack(
      rows.map((r) => r.key),
      map.info.keyBytes,
    );
    const values = pack(
      rows.map((r) => r.value),
      map.info.wireValueBytes,
    );
    const result = this.#addon.mapPutBatch(map.handle, keys, values, rows.length);
    // Without batches in this kernel, or at the entry that failed: one by one, so that the error is that entry's own.
    if (result.errno !== 0) for (const row of rows.slice(result.done)) this.#putOne(name, map, row);
  }

  #deleteBatch(map: OpenMap, keys: readonly Uint8Array[]): void {
    const packed = pack(keys, map.info.keyBytes);
    for (let at = 0; at < keys.length; ) {
      const rest = packed.subarray(at * map.info.keyBytes);
      const result = this.#addon.mapDeleteBatch(map.handle, rest, keys.length - at);
      at += result.done;
      if (result.errno === 0) return;
      const key = keys[at];
      // Already gone (ENOENT), or no batches here: this one alone decides.
      if (key !== undefined) this.#addon.mapDelete(map.handle, key);
      at++;
    }
  }

  /** Every entry that stood in the map during the whole walk, once; those that come or go meanwhile may be in it. */
  #walk(name: string, map: OpenMap): MapRow[] {
    const seen = new Map<string, MapRow>();
    const limit = Math.max(1024, MAX_ROUNDS * map.info.maxEntries);
    let steps = 0;
    let isBatch = true;
    let size = Math.min(BATCH, Math.max(map.info.maxEntries, 1));
    let cursor: Uint8Array | undefined;
    while (isBatch) {
      try {
        const batch = this.#addon.mapGetBatch(map.handle, cursor, size);
        for (let i = 0; i < batch.count; i++) remember(seen, rowAt(batch, i, map.info));
        steps += batch.count + 1;
        cursor = batch.next;
        if (cursor === undefined) return [...seen.values()];
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOSPC" && size < map.info.maxEntries) size = Math.min(2 * size, map.info.maxEntries);
        else if (code === "EINTR") steps += size;
        else if (code === "ENOTSUPP" || code === "EINVAL" || code === "ENOTSUP") isBatch = false;
        else throw error;
      }
      if (steps > limit) throw tooBusy(name);
    }
    for (let key = this.#addon.mapNextKey(map.handle); key !== undefined; ) {
      const value = this.#addon.mapGet(map.handle, key);
      if (value !== undefined) remember(seen, { key, value });
      if (++steps > limit) throw tooBusy(name);
      key = this.#addon.mapNextKey(map.handle, key);
    }
    return [...seen.values()];
  }

  [Symbol.dispose](): void {
    this.reset(this.#directory);
  }
}

function tooBusy(name: string): KernelError {
  return new KernelError(`read map "${name}"`, "EAGAIN", 11, "its entries change faster than they can be read");
}

function explainFull(name: string, map: OpenMap, cause: unknown): unknown {
  const { code, errno } = cause as { readonly code?: string; readonly errno?: number };
  // Hash maps say E2BIG, LPM tries ENOSPC.
  const isFull = code === errnoName(ERRNO.E2BIG) || code === errnoName(ERRNO.ENOSPC);
  if (!isFull || errno === undefined) return cause;
  return new KernelError(`write map "${name}"`, code, errno, `all of its ${map.info.maxEntries} entries are in use`, {
    cause,
  });
}

function rowAt(batch: { readonly keys: Buffer; readonly values: Buffer }, i: number, info: AddonMapInfo): MapRow {
  return {
    key: batch.keys.subarray(i * info.keyBytes, (i + 1) * info.keyBytes),
    value: batch.values.subarray(i * info.wireValueBytes, (i + 1) * info.wireValueBytes),
  };
}

function remember(seen: Map<string, MapRow>, row: MapRow): void {
  const key = row.key as Buffer;
  seen.set(key.toString("latin1"), row);
}

/** Puts parts of one length behind each other; a part of another length throws RangeError. */
function pack(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const packed = new Uint8Array(parts.length * bytes);
  for (const [i, part] of parts.entries()) {
    if (part.length !== bytes) throw new RangeError(`Entry ${i} has ${part.length} bytes, ${bytes} are wanted`);
    packed.set(part, i * bytes);
  }
  return packed;
}
