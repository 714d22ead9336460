/**
 * Tells the cluster that this node has a network: condition `NetworkUnavailable`, as cloud providers' schedulers look
 * for. Only ever set to "False" by an agent that is ready; an agent that stops leaves it, since the data plane stays.
 */

import { type Backoff, backoffMs } from "../base/backoff.ts";
import type { ClusterSource } from "../cluster/source.ts";
import type { Log } from "./log.ts";
import { pause } from "./pause.ts";
import { messageOf } from "./reconcile/failures.ts";

const RETRY: Backoff = { firstMs: 1000, maxMs: 60_000 };

/** Keeps trying until the condition is set or the signal falls. Never throws. */
export async function announceNetwork(
  source: Pick<ClusterSource, "patchNodeConditions">,
  node: string,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const condition = {
    type: "NetworkUnavailable",
    status: "False",
    reason: "TwillIsUp",
    message: "Twill forwards the packets of this node's pods",
  } as const;
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      await source.patchNodeConditions(node, [condition], signal);
      return;
    } catch (cause) {
      if (signal.aborted || isPointless(cause)) return;
      log.warn({ failure: messageOf(cause) }, "cannot set the node's NetworkUnavailable condition");
    }
    await pause(backoffMs(RETRY, failures), signal);
  }
}

/** A directory of objects takes no writes: nothing is lost by not telling it. */
function isPointless(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ReadOnly";
}
