/** The pace of duties that any agent may do: all look, spread in time, and whoever finds something to do reaches for the Lease. */

import { ClusterError } from "../../cluster/source.ts";
import { messageOf } from "../reconcile/failures.ts";

/** After a refusal for want of rights. */
const FORBIDDEN_MS = 300_000;

/** What waiting needs. */
export interface LookingParts {
  /** Resolves after the time or when the signal falls. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 … 1. */
  readonly random: () => number;
}

/** What is done at each look. */
export interface Look {
  /** Between two looks, on average; spread, so that a thousand agents do not reach for the Lease at once. */
  readonly everyMs: number;
  once(signal: AbortSignal): Promise<unknown>;
  /** Told of a failure, once for as long as it stays the same. */
  tell(failure: string): void;
}

/** Looks, again and again, until the signal falls. Never throws. */
export async function keepLooking(parts: LookingParts, look: Look, signal: AbortSignal): Promise<void> {
  const { pause, random } = parts;
  let told = "";
  while (!signal.aborted) {
    await pause(look.everyMs * (0.5 + random()), signal);
    if (signal.aborted) return;
    try {
      await look.once(signal);
    } catch (cause) {
      if (signal.aborted) return;
      const text = messageOf(cause);
      if (text !== told) look.tell(text);
      told = text;
      if (cause instanceof ClusterError && cause.httpStatus === 403) await pause(FORBIDDEN_MS, signal);
    }
  }
}
