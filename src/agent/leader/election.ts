/**
 * Being the only one: a Lease that one holder renews and others watch, as Kubernetes' own controllers do it. Clocks of
 * different nodes are never compared: a watcher counts the time for which it has seen no change, by its own clock.
 */

import type { LeaseState, LeaseWrite } from "../../cluster/leader-api.ts";

/** A holder that has not renewed for so long has lost the Lease. */
export const LEASE_SECONDS = 15;

/** What a candidate has seen. */
export interface Seen {
  readonly lease: LeaseState | undefined;
  /** Own monotonic clock when this version of the Lease was first seen, milliseconds. */
  readonly sinceMs: number;
}

/** What to do now. */
export type Move = { readonly kind: "wait" } | { readonly kind: "write"; readonly write: LeaseWrite };

/** Takes in what was read now. */
export function observe(before: Seen | undefined, lease: LeaseState | undefined, nowMs: number): Seen {
  if (before !== undefined && before.lease?.version === lease?.version) return before;
  return { lease, sinceMs: nowMs };
}

/** Whether to write the Lease: to take a free or expired one, or to renew one's own. */
export function nextMove(self: string, seen: Seen, nowMs: number): Move {
  const { lease } = seen;
  const write = (transitions: number): Move => ({
    kind: "write",
    write: { holder: self, durationSeconds: LEASE_SECONDS, transitions },
  });
  if (lease === undefined) return write(0);
  if (lease.holder === self) return write(lease.transitions);
  const isExpired = nowMs - seen.sinceMs > lease.durationSeconds * 1000;
  return lease.holder === "" || isExpired ? write(lease.transitions + 1) : { kind: "wait" };
}
