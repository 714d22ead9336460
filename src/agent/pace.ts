/**
 * Calls that may come hundreds of times a second, made at most every so often: what follows from one change costs about as
 * much as what follows from ten. The first of them is made at once, so that a change that comes alone waits for nothing.
 */

/** See the file's comment. */
export class Pace implements Disposable {
  readonly #call: () => void;
  readonly #gapMs: number;
  readonly #nowMs: () => number;
  #endedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param gapMs from the end of one call to the beginning of the next @param nowMs of a clock that only rises */
  constructor(call: () => void, gapMs: number, nowMs: () => number = () => performance.now()) {
    this.#call = call;
    this.#gapMs = gapMs;
    this.#nowMs = nowMs;
  }

  /** Something is to be done: now, or with all that is asked for until its time has come. */
  request(): void {
    if (this.#timer !== undefined) return;
    const waitMs = this.#endedMs + this.#gapMs - this.#nowMs();
    if (waitMs <= 0) this.#run();
    else this.#timer = setTimeout(() => this.#run(), waitMs);
  }

  #run(): void {
    this.#timer = undefined;
    try {
      this.#call();
    } finally {
      this.#endedMs = this.#nowMs();
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
