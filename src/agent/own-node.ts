/**
 * What this agent writes onto its own Node object, and keeps there: annotations, the condition `NetworkUnavailable`, and the start-up
 * taint taken away. Level-triggered: it follows from the object as it is now, so a node that is made anew is told anew.
 *
 * Nothing is taken back when the agent ends: the data plane stays.
 */

import { type Backoff, backoffMs } from "../base/backoff.ts";
import type { ClusterSource, NodeCondition } from "../cluster/source.ts";
import type { Node } from "../model/node.ts";
import type { Log } from "./log.ts";
import { messageOf } from "./reconcile/failures.ts";

/** What should stand there. */
export interface WantedNode {
  /** By key; undefined: it should not be there. Others' annotations are left alone. */
  readonly annotations: Readonly<Record<string, string | undefined>>;
  /** Pods can be attached. */
  readonly isReady: boolean;
  /** Key of the taint that a node has until pods can be attached; undefined: none. */
  readonly startupTaint: string | undefined;
}

/** What it works with. */
export interface OwnNodeParts {
  readonly source: Pick<
    ClusterSource,
    "snapshot" | "patchNodeAnnotations" | "patchNodeConditions" | "removeNodeTaint" | "isSynced"
  >;
  readonly nodeName: string;
  readonly log: Log;
  readonly wanted: (node: Node) => WantedNode;
  /** Monotonic clock, milliseconds. */
  readonly nowMs: () => number;
  /** Resolves after the time or when the signal falls. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

const RETRY: Backoff = { firstMs: 1000, maxMs: 60_000 };
/** What was written and is not seen after so long is written again. */
const UNSEEN_MS = 30_000;

const NETWORK_IS_THERE: NodeCondition = {
  type: "NetworkUnavailable",
  status: "False",
  reason: "TwillIsUp",
  message: "Twill forwards the packets of this node's pods",
};

/** What is to be written. */
interface Missing {
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly condition: boolean;
  readonly taint: string | undefined;
}

function missing(node: Node, { annotations, isReady, startupTaint }: WantedNode): Missing | undefined {
  const changes = Object.entries(annotations).filter(([key, value]) => node.annotations.get(key) !== value);
  const condition = isReady && !node.hasNetwork;
  const taint = isReady && node.taints.some((t) => t.key === startupTaint) ? startupTaint : undefined;
  if (changes.length === 0 && !condition && taint === undefined) return undefined;
  return { annotations: Object.fromEntries(changes.map(([k, v]) => [k, v ?? null])), condition, taint };
}

/** A directory of objects takes no writes: nothing is lost by not telling it. */
function isPointless(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ReadOnly";
}

/** One for the life of an agent. */
export class OwnNode {
  readonly #parts: OwnNodeParts;
  #wake = Promise.withResolvers<void>();

  constructor(parts: OwnNodeParts) {
    this.#parts = parts;
  }

  /** To be called whenever the node, or what should stand there, may have changed. Cheap. */
  look(): void {
    this.#wake.resolve();
  }

  /** Keeps it until the signal falls. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, pause, nowMs } = this.#parts;
    let failures = 0;
    let last: { readonly node: Node; readonly text: string; readonly atMs: number } | undefined;
    const ended = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      const found = this.#look();
      const text = JSON.stringify(found?.what);
      const isWritten = found?.node === last?.node && text === last?.text && nowMs() - (last?.atMs ?? 0) < UNSEEN_MS;
      if (found === undefined || isWritten) {
        const late = setTimeout(this.#wake.resolve, UNSEEN_MS);
        await Promise.race([this.#wake.promise, ended]);
        clearTimeout(late);
        continue;
      }
      try {
        await this.#write(found.what, signal);
        last = { node: found.node, text, atMs: nowMs() };
        failures = 0;
      } catch (cause) {
        if (signal.aborted || isPointless(cause)) return;
        failures++;
        log.warn({ failure: messageOf(cause) }, "cannot write onto this node's object");
        await pause(backoffMs(RETRY, failures), signal);
      }
    }
  }

  #look(): { readonly node: Node; readonly what: Missing } | undefined {
    const { source, nodeName, wanted } = this.#parts;
    const node = source.isSynced() ? source.snapshot().tables.nodes.get(nodeName) : undefined;
    const what = node === undefined ? undefined : missing(node, wanted(node));
    return node === undefined || what === undefined ? undefined : { node, what };
  }

  async #write({ annotations, condition, taint }: Missing, signal: AbortSignal): Promise<void> {
    const { source, nodeName, log } = this.#parts;
    if (Object.keys(annotations).length > 0) await source.patchNodeAnnotations(nodeName, annotations, signal);
    if (condition) await source.patchNodeConditions(nodeName, [NETWORK_IS_THERE], signal);
    if (taint === undefined) return;
    // Last: who schedules by it finds everything else there.
    await source.removeNodeTaint(nodeName, taint, signal);
    log.info({ taint }, "took the start-up taint from this node");
  }
}
