/** The look at large maps that a full run begins: one comparison after the other, each in steps. */

/** Compares in steps. @returns rows that somebody had changed */
export type Mending = Generator<void, number>;

/** See the file's comment. */
export class MapLook {
  readonly #onEnd: (cpuMs: number) => void;
  readonly #counts: { drifted: number };
  #left: Mending[] = [];
  #cpuMs = 0;

  /** @param onEnd the look is over, and has cost so much of a CPU's time */
  constructor(counts: { drifted: number }, onEnd: (cpuMs: number) => void) {
    this.#counts = counts;
    this.#onEnd = onEnd;
  }

  get isGoing(): boolean {
    return this.#left.length > 0;
  }

  /** Looks from the beginning, whatever of an earlier look is left. None of them may throw. */
  begin(mendings: readonly (Mending | undefined)[]): void {
    for (const before of this.#left) before.return(0);
    this.#left = mendings.filter((m) => m !== undefined);
    this.#cpuMs = 0;
  }

  /** Does at least one step, and more until it is time. @returns whether nothing is left */
  step(isTime: () => boolean): boolean {
    const startMs = cpuMs();
    const wasGoing = this.isGoing;
    do {
      const [mending] = this.#left;
      const next = mending?.next();
      if (next?.done === true) {
        this.#left.shift();
        this.#counts.drifted += next.value;
      }
    } while (this.isGoing && !isTime());
    this.#cpuMs += cpuMs() - startMs;
    if (wasGoing && !this.isGoing) this.#onEnd(this.#cpuMs);
    return !this.isGoing;
  }
}

/** CPU time of the process: what a busy machine makes of it does not count. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The whole of it at once. @returns rows that were not as they should be */
export function finish(mending: Mending): number {
  for (;;) {
    const next = mending.next();
    if (next.done === true) return next.value;
  }
}
