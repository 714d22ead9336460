/** Holding a Lease for one piece of work: taken when there is something to do, given up when it is done. */

import type { LeaderApi, LeaseState } from "../../cluster/leader-api.ts";
import { LEASE_SECONDS, nextMove, observe, type Seen } from "./election.ts";

/** A holder stops working when so much of the Lease's time has passed. */
const SAFE_MS = (LEASE_SECONDS * 1000 * 2) / 3;

/** What holding needs. */
export interface TenureParts {
  readonly api: Pick<LeaderApi, "readLease" | "writeLease">;
  /** Who writes the Lease: the node's name. */
  readonly self: string;
  /** Monotonic clock, milliseconds. */
  readonly nowMs: () => number;
}

/** One for each Lease and process. */
export class Tenure {
  readonly #parts: TenureParts;
  #seen: Seen | undefined;

  constructor(parts: TenureParts) {
    this.#parts = parts;
  }

  /**
   * Tries to become the holder, works, and gives the Lease up.
   * @param work its signal falls before somebody else may take the Lease
   * @returns undefined: somebody else holds it
   */
  async hold<T>(signal: AbortSignal, work: (safe: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const held = await this.#take(signal);
    if (held === undefined) return undefined;
    // Nothing is begun, and nothing waited for, that could reach the API after somebody else may have taken the Lease.
    const safe = AbortSignal.any([signal, AbortSignal.timeout(SAFE_MS)]);
    try {
      return await work(safe);
    } finally {
      await this.#release(held, signal);
    }
  }

  async #take(signal: AbortSignal): Promise<LeaseState | undefined> {
    const { api, self, nowMs } = this.#parts;
    this.#seen = observe(this.#seen, await api.readLease(signal), nowMs());
    const move = nextMove(self, this.#seen, nowMs());
    return move.kind === "wait" ? undefined : api.writeLease(move.write, this.#seen.lease?.version, signal);
  }

  async #release(held: LeaseState, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.api.writeLease({ ...held, holder: "" }, held.version, signal);
    } catch {
      // It expires by itself.
    }
  }
}
