/** Lets a sweeper work at its own pace beside everything else. */

import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import type { Sweeper } from "./sweeper.ts";
import { tickOf } from "./timeouts.ts";

/** Between two pages of a walk. */
const PAGE_PAUSE_MS = 200;
/** Between two walks over all maps. */
const WALK_PAUSE_MS = 10_000;

/**
 * Starts walking, again and again.
 * @param isReady whether there are maps to walk
 * @returns ends it
 */
export function startSweeping(sweeper: Pick<Sweeper, "step">, isReady: () => boolean, log: Log): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isFailing = false;
  const step = () => {
    let isEnd = true;
    try {
      // CLOCK_MONOTONIC, as the programs' own clock.
      if (isReady()) isEnd = sweeper.step(tickOf(process.hrtime.bigint()));
      isFailing = false;
    } catch (cause) {
      if (!isFailing) log.error({ failure: messageOf(cause) }, "cannot collect flows");
      isFailing = true;
    }
    timer = setTimeout(step, isEnd ? WALK_PAUSE_MS : PAGE_PAUSE_MS);
  };
  timer = setTimeout(step, 1000);
  return () => clearTimeout(timer);
}
