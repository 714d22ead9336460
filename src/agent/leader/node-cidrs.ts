/**
 * Gives nodes without pod CIDRs their share of the cluster's. One agent at a time does it, under a Lease that is held only
 * as long as there is something to give: a cluster whose nodes all have their CIDRs pays nothing for it.
 */

import type { LeaderApi } from "../../cluster/leader-api.ts";
import { type ClusterPool, carveNodeCidrs } from "../../ipam/carve.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import { Tenure } from "./tenure.ts";

/** What giving needs. */
export interface CidrDutyParts {
  readonly api: LeaderApi;
  /** Who writes the Lease: the node's name. */
  readonly self: string;
  /** What to give from, as it is now. */
  readonly pools: () => readonly ClusterPool[];
  readonly log: Log;
  /** Whether a node without pod CIDRs is known. */
  readonly isNeeded: () => boolean;
  /** Monotonic clock, milliseconds. */
  readonly nowMs: () => number;
  /** Resolves after the time or when the signal falls. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 … 1. */
  readonly random: () => number;
}

/** Between two looks at whether there is anything to give; spread, so that a thousand agents do not knock at once. */
const LOOK_MS = 2_000;

/** One for the life of an agent. */
export class CidrDuty {
  readonly #parts: CidrDutyParts;
  readonly #tenure: Tenure;
  #told = "";

  constructor(parts: CidrDutyParts) {
    this.#parts = parts;
    this.#tenure = new Tenure(parts);
  }

  /** Looks, again and again, until the signal falls. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { pause, random, isNeeded, log } = this.#parts;
    while (!signal.aborted) {
      await pause(LOOK_MS * (0.5 + random()), signal);
      if (signal.aborted || !isNeeded()) continue;
      try {
        await this.once(signal);
      } catch (cause) {
        if (!signal.aborted) log.warn({ failure: messageOf(cause) }, "cannot give pod CIDRs to nodes");
      }
    }
  }

  /** Tries to become the giver, gives what there is to give, and gives the Lease up. @returns nodes served */
  async once(signal: AbortSignal): Promise<number> {
    return (await this.#tenure.hold(signal, (safe) => this.#give(safe))) ?? 0;
  }

  async #give(signal: AbortSignal): Promise<number> {
    const { api, pools, log } = this.#parts;
    // Read after the Lease was taken: what an earlier holder gave is in it.
    const nodes = [...(await api.listNodes(signal))].sort((a, b) => (a.name < b.name ? -1 : 1));
    const { assigned, issues } = carveNodeCidrs(pools(), nodes);
    this.#tell(issues.map((i) => i.message));
    let served = 0;
    for (const [node, given] of assigned) {
      const cidrs = given.map((g) => g.cidr);
      const ofPools = given.flatMap(({ pool }) => (pool.name === undefined ? [] : [pool.prefix]));
      await api.setPodCidrs(node, cidrs, ofPools, signal);
      log.info({ subject: node, cidrs: cidrs.map((c) => c.text) }, "gave pod CIDRs to a node");
      served++;
    }
    return served;
  }

  /** Tells problems once, not at each look. */
  #tell(problems: readonly string[]): void {
    const text = problems.join("\n");
    if (text !== this.#told && text !== "")
      this.#parts.log.warn({ reasons: problems }, "not every node can be given pod CIDRs");
    this.#told = text;
  }
}
