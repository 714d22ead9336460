/** When everything is looked at again: once in a period, but for at most one part in so many of a CPU's time. */

const LOOK_SHARE = 100;
/** But not so seldom that `/healthz` would take the agent for stuck. */
const MOST_PERIODS = 3;

/** See the file's comment. Times are the wall clock's, milliseconds. */
export class LookPace {
  readonly #periodMs: () => number;
  #startMs = 0;
  #nextMs = 0;

  constructor(periodMs: () => number) {
    this.#periodMs = periodMs;
  }

  get nextMs(): number {
    return this.#nextMs;
  }

  /** A look has begun. */
  begin(startMs: number): void {
    this.#startMs = startMs;
    this.#nextMs = startMs + this.#periodMs();
  }

  /** It has taken so much of a CPU's time: in a large cluster long enough to be felt. */
  cost(cpuMs: number): void {
    const restMs = Math.min(LOOK_SHARE * cpuMs, MOST_PERIODS * this.#periodMs());
    this.#nextMs = Math.max(this.#nextMs, this.#startMs + restMs);
  }
}
