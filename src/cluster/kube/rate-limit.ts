/** A token bucket: at most so many requests a second on average, with a burst. */

import { setTimeout as sleep } from "node:timers/promises";

/** Grants permits in the order in which they were asked for. */
export interface RateLimit {
  /** Resolves when a request may be sent. @throws the signal's reason when it is aborted before */
  take(signal: AbortSignal): Promise<void>;
}

/** A full bucket. @param perSecond permits that come back a second, above 0 */
export function createRateLimit(
  perSecond: number,
  burst: number,
  nowMs: () => number = () => performance.now(),
): RateLimit {
  let permits = burst;
  let at = nowMs();
  return {
    async take(signal) {
      signal.throwIfAborted();
      const now = nowMs();
      permits = Math.min(burst, permits + ((now - at) / 1000) * perSecond);
      at = now;
      // Below 0 the bucket remembers those who already wait: each next one waits a little longer.
      permits -= 1;
      if (permits >= 0) return;
      await sleep((-permits / perSecond) * 1000, undefined, { signal });
    },
  };
}
