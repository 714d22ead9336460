/**
 * Gives back the memory that is only garbage. Reading a large cluster leaves several times what is kept: V8 lets a heap grow in
 * proportion to what it has seen, and the C library keeps what was freed. Nobody else would give it back while an
 * agent has little to do. It takes some hundred milliseconds in which nothing else is done. So it happens at the start, before anybody
 * is told that the agent is ready; later an agent that is busy is left alone, and one that is not pauses for a thousandth of its time at most.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { trimMemory } from "../kernel/linux/memory.ts";
import type { Log } from "./log.ts";

/** So much more than after the last time is worth a pause. */
const GROWTH = { factor: 1.25, bytes: 24e6 } as const;
/** Between two times at least, and so many times the time that it took: an event that meets it has to wait, one in so many may. */
const PAUSE = { ms: 30_000, factor: 1_000 } as const;
/** Between two looks. */
const LOOK_MS = 15_000;
/** So long nothing has come: what comes every few milliseconds would wait. Also between two looks for such a moment. */
const IDLE_MS = 1_000;

/** What keeping needs of the process. */
export interface ProcessMemory {
  /** Bytes. */
  rss(): number;
  /** Collects garbage and gives back what is free. Nothing else runs meanwhile. @returns milliseconds that it took */
  compact(): number;
}

/** Whether, and when. */
export class MemoryKeeper {
  readonly #memory: ProcessMemory;
  #last: { readonly nextMs: number; readonly rss: number } | undefined;

  constructor(memory: ProcessMemory) {
    this.#memory = memory;
  }

  /** Whether it is worth a pause. @param nowMs of a clock that only rises */
  isDue(nowMs: number): boolean {
    const last = this.#last;
    if (last === undefined) return true;
    const isMuch = this.#memory.rss() > Math.max(last.rss * GROWTH.factor, last.rss + GROWTH.bytes);
    return isMuch && nowMs >= last.nextMs;
  }

  /** @returns RSS before and after, and what it took; undefined: nothing was to be done */
  look(nowMs: number): { readonly before: number; readonly after: number; readonly ms: number } | undefined {
    if (!this.isDue(nowMs)) return undefined;
    const before = this.#memory.rss();
    const ms = this.#memory.compact();
    const after = this.#memory.rss();
    this.#last = { nextMs: nowMs + ms + Math.max(PAUSE.ms, ms * PAUSE.factor), rss: after };
    return { before, after, ms };
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
      const start = performance.now();
      collect({ type: "major", execution: "sync", flavor: "last-resort" });
      trimMemory();
      return performance.now() - start;
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

  /** The cluster is known: gives back what reading it has left, at once. Nothing happens the second time. */
  begin(): void {
    if (this.#timer !== undefined) return;
    const keeper = new MemoryKeeper(createProcessMemory());
    this.#look(keeper);
    this.#lookIn(LOOK_MS, keeper);
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
    const done = keeper.look(performance.now());
    if (done === undefined) return;
    const { before, after, ms } = done;
    this.#log.info({ bytesBefore: before, bytesAfter: after, durationMs: Math.round(ms) }, "gave back memory");
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
