/** The programs' clock, for tests that need to stay within one tick of it. */

const TICK_NS = 1n << 30n;

/** The tick of the programs' clock. */
export function tickNow(): bigint {
  return process.hrtime.bigint() / TICK_NS;
}

/**
 * Returns well inside a tick, so that what follows at once lies in the same one. Not at its very beginning: the programs'
 * clock is coarse and lags by up to a timer interrupt.
 */
export function waitForTick(): void {
  for (;;) {
    const into = process.hrtime.bigint() % TICK_NS;
    if (into > TICK_NS / 50n && into < (TICK_NS * 7n) / 10n) return;
  }
}
