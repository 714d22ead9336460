/**
 * Gives back the memory that is only garbage. Reading a large cluster leaves several times what is kept: V8 lets a heap grow in
 * proportion to what it has seen, and the C library keeps what was freed. Nobody else would give it back while an
 * agent has little to do. It takes some hundred milliseconds in which nothing else is done: an agent that is busy is left alone, and
 * collects as it goes.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { trimMemory } from "../kernel/linux/memory.ts";
import type { Log } from "./log.ts";

/** So much more than after the last time is worth a pause. */
const GROWTH = { factor: 1.25, bytes: 24e6 } as const;
/** Between two times at least. */
const PAUSE_MS = 30_000;
/** Between two looks. The first one follows the start, when the garbage is largest, and all that is asked for by then has been listed. */
const LOOK_MS = 15_000;
/** So long nothing has come: what comes every few milliseconds would wait. Also between two looks for such a moment. */
const IDLE_MS = 1_000;

/** What keeping needs of the process. */
export interface ProcessMemory {
  /** Bytes. */
  rss(): number;
  /** Collects garbage and gives back what is free. Nothing else runs meanwhile. */
  compact(): void;
}

/** Whether, and when. */
export class MemoryKeeper {
  readonly #memory: ProcessMemory;
  #last: { readonly atMs: number; readonly rss: number } | undefined;

  constructor(memory: ProcessMemory) {
    this.#memory = memory;
  }

  /** Whether it is worth a pause. @param nowMs of a clock that only rises */
  isDue(nowMs: number): boolean {
    const last = this.#last;
    if (last === undefined) return true;
    const isMuch = this.#memory.rss() > Math.max(last.rss * GROWTH.factor, last.rss + GROWTH.bytes);
    return isMuch && nowMs - last.atMs >= PAUSE_MS;
  }

  /** @returns RSS before and after; undefined: nothing was to be done */
  look(nowMs: number): { readonly before: number; readonly after: number } | undefined {
    if (!this.isDue(nowMs)) return undefined;
    const before = this.#memory.rss();
    this.#memory.compact();
    const after = this.#memory.rss();
    this.#last = { atMs: nowMs, rss: after };
    return { before, after };
  }
}

type Collect = (options: {
  readonly type: "major";
  readonly execution: "sync";
  readonly flavor: "last-resort";
}) => void;

/** The real process. */
function createProcessMemory(): ProcessMemory {
  // Contexts that are made from here on have it; ours does not.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect;
  return {
    rss: () => process.memoryUsage.rss(),
    compact() {
      collect({ type: "major", execution: "sync", flavor: "last-resort" });
      trimMemory();
    },
  };
}

/** Looks from time to time, when there is nothing else to do. */
export class MemoryTimer implements Disposable {
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #busyMs = Number.NEGATIVE_INFINITY;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The cluster is known. Nothing happens the second time. */
  begin(): void {
    if (this.#timer !== undefined) return;
    this.#lookIn(LOOK_MS, new MemoryKeeper(createProcessMemory()));
  }

  /** Something has come that somebody waits for. */
  note(): void {
    this.#busyMs = performance.now();
  }

  #lookIn(ms: number, keeper: MemoryKeeper): void {
    const look = () => {
      const isBusy = performance.now() - this.#busyMs < IDLE_MS;
      if (!isBusy) this.#look(keeper);
      this.#lookIn(isBusy && keeper.isDue(performance.now()) ? IDLE_MS : LOOK_MS, keeper);
    };
    this.#timer = setTimeout(look, ms).unref();
  }

  #look(keeper: MemoryKeeper): void {
    const start = performance.now();
    const done = keeper.look(start);
    if (done === undefined) return;
    const durationMs = Math.round(performance.now() - start);
    this.#log.info({ bytesBefore: done.before, bytesAfter: done.after, durationMs }, "gave back memory");
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
