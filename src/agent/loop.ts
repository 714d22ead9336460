/** Runs one synchronous piece of work whenever somebody asks, never twice at once, and at the latest when its time comes. */

/** What a run says about the next one. */
export interface NextRun {
  /** Milliseconds until it shall run again although nobody asks. */
  readonly inMs: number;
}

/** Least time between two runs: many requests become one. */
const GAP_MS = 25;

/** See the file's comment. */
export class Loop {
  readonly #work: () => NextRun;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  /** @param work must not throw */
  constructor(work: () => NextRun) {
    this.#work = work;
  }

  /** Asks for a run soon, or after at most so long. Cheap, and may be called from within the work. */
  request(withinMs = 0): void {
    this.#schedule(Math.max(withinMs, this.#lastEndMs + GAP_MS - performance.now()));
  }

  /** No run begins any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(inMs: number): void {
    const dueMs = performance.now() + inMs;
    if (this.#isStopped || dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#run(), inMs);
  }

  #run(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    const next = this.#work();
    this.#lastEndMs = performance.now();
    this.#schedule(Math.max(GAP_MS, next.inMs));
  }
}
