/** Setting conditions in a node's status without disturbing those of others. */

import type { NodeCondition } from "../source.ts";

/** A condition as it stands in a node's status. */
export interface StoredCondition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/**
 * The strategic merge patch that sets conditions; undefined when they all stand there already.
 * `lastTransitionTime` stays where the status does not change.
 * @param now RFC 3339
 */
export function conditionsPatch(
  current: readonly StoredCondition[],
  wanted: readonly NodeCondition[],
  now: string,
): object | undefined {
  const changes = wanted.flatMap((w) => {
    const old = current.find((c) => c.type === w.type);
    if (old !== undefined && old.status === w.status && old.reason === w.reason && old.message === w.message) return [];
    const lastTransitionTime = old?.status === w.status ? (old.lastTransitionTime ?? now) : now;
    return [{ ...w, lastHeartbeatTime: now, lastTransitionTime }];
  });
  return changes.length === 0 ? undefined : { status: { conditions: changes } };
}
