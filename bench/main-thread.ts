/** What the kernel says of another process's main thread: how long it has run, and since when it waits. */

import { readFileSync } from "node:fs";

/** One look at it. */
export interface ThreadLook {
  /** CPU time since its start, milliseconds. */
  readonly cpuMs: number;
  /** For how long it has waited for something that is not a CPU, as far as looks can tell. */
  readonly restMs: number;
}

/** See the file's comment. */
export class MainThread {
  readonly #directory: string;
  #cpuMs = -1;
  #sinceMs = 0;

  constructor(pid: number) {
    this.#directory = `/proc/${pid}/task/${pid}`;
  }

  look(): ThreadLook {
    // Of a thread that waits it is exact (proc(5), `schedstat`: nanoseconds).
    const cpuMs = Number(readFileSync(`${this.#directory}/schedstat`, "utf8").split(" ")[0]) / 1e6;
    const stat = readFileSync(`${this.#directory}/stat`, "utf8");
    const isWaiting = stat.slice(stat.lastIndexOf(")") + 2).startsWith("S");
    const nowMs = performance.now();
    if (!isWaiting || cpuMs !== this.#cpuMs) this.#sinceMs = nowMs;
    this.#cpuMs = cpuMs;
    return { cpuMs, restMs: nowMs - this.#sinceMs };
  }
}
