/**
 * Writes onto policies what became of them: whether they were understood, and what of them is not enforced. All agents know
 * what should stand there; the one that holds the Lease writes what does not, and gives the Lease up.
 *
 * Nothing is written again that this agent has written already: agents of two versions that word it differently do not
 * take turns, and whoever takes a condition away is not contradicted before some minutes are over.
 */

import type { LeaderApi } from "../../cluster/leader-api.ts";
import type { ObjectCondition, ObjectReport } from "../../cluster/reports.ts";
import type { ClusterTable } from "../../cluster/source.ts";
import type { StatusApi } from "../../cluster/status-api.ts";
import type { Log } from "../log.ts";
import type { WantedConditions } from "../policy/object-conditions.ts";
import { keepLooking } from "./looking.ts";
import { Tenure } from "./tenure.ts";

/** What writing needs. */
export interface StatusDutyParts {
  readonly leader: Pick<LeaderApi, "readLease" | "writeLease">;
  readonly api: StatusApi;
  /** Who writes the Lease: the node's name. */
  readonly self: string;
  readonly log: Log;
  /** Objects whose status may have to be written, and a number that grows when one of them has changed. */
  readonly reports: { all(): Iterable<ObjectReport>; version(): number };
  /** What should stand on each object; undefined: not known yet. The same function for as long as it says the same. */
  readonly wanted: () => WantedConditions | undefined;
  /** Monotonic clock, milliseconds. */
  readonly nowMs: () => number;
  /** Resolves after the time or when the signal falls. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 … 1. */
  readonly random: () => number;
}

/** Between two looks. */
const LOOK_MS = 4_000;
/** After so long what was written once may be written again, and a kind without status is asked anew. */
const AGAIN_MS = 600_000;
/** Objects written under one Lease: the rest comes with the next. */
const MAX_WRITES = 50;
/** Objects looked at before others have their turn. */
const SLICE = 500;

interface Write {
  readonly report: ObjectReport;
  readonly conditions: readonly ObjectCondition[];
}

const textOf = (conditions: readonly ObjectCondition[]) =>
  conditions
    .map((c) => JSON.stringify([c.type, c.status, c.reason, c.message, c.observedGeneration]))
    .sort()
    .join();

/** One for the life of an agent. */
export class StatusDuty {
  readonly #parts: StatusDutyParts;
  readonly #tenure: Tenure;
  /** What was written last, by path. */
  readonly #written = new Map<string, { readonly text: string; readonly atMs: number }>();
  /** Kinds that have no status, and since when that is known. */
  readonly #without = new Map<ClusterTable, number>();
  #seen: readonly unknown[] = [];

  constructor(parts: StatusDutyParts) {
    this.#parts = parts;
    this.#tenure = new Tenure({ ...parts, api: parts.leader });
  }

  /** Looks, again and again, until the signal falls. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    const tell = (failure: string) => this.#parts.log.warn({ failure }, "cannot write the status of policies");
    return keepLooking(this.#parts, { everyMs: LOOK_MS, once: (s) => this.once(s), tell }, signal);
  }

  /** Writes what should stand there and does not, if nobody else is at it. @returns objects written */
  async once(signal: AbortSignal): Promise<number> {
    const { reports, wanted } = this.#parts;
    const say = wanted();
    if (say === undefined) return 0;
    const now = [say, reports.version()];
    if (now.every((x, i) => x === this.#seen[i])) return 0;
    const { writes, isAll } = await this.#missing(say);
    const done = writes.length === 0 ? 0 : await this.#tenure.hold(signal, (safe) => this.#write(writes, safe));
    // Else somebody else writes, or there is more to write: looked at again.
    if (done !== undefined && isAll) this.#seen = now;
    return done ?? 0;
  }

  async #missing(say: WantedConditions) {
    const { reports, nowMs } = this.#parts;
    const writes: Write[] = [];
    let looked = 0;
    for (const report of reports.all()) {
      if (++looked % SLICE === 0) await new Promise(setImmediate);
      if (nowMs() - (this.#without.get(report.table) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) continue;
      const conditions = say(report);
      const text = textOf(conditions);
      if (text === textOf(report.conditions.filter((c) => conditions.some((w) => w.type === c.type)))) continue;
      const last = this.#written.get(report.path);
      if (last?.text === text && nowMs() - last.atMs < AGAIN_MS) continue;
      if (writes.length === MAX_WRITES) return { writes, isAll: false };
      writes.push({ report, conditions });
    }
    return { writes, isAll: true };
  }

  async #write(writes: readonly Write[], signal: AbortSignal): Promise<number> {
    const { api, nowMs, log } = this.#parts;
    let done = 0;
    for (const { report, conditions } of writes) {
      if (signal.aborted) break;
      if (this.#without.has(report.table) && nowMs() - (this.#without.get(report.table) ?? 0) < AGAIN_MS) continue;
      const result = await api.writeConditions(report.path, conditions, signal);
      if (result === "conflict") continue;
      if (result === "no-status") {
        this.#without.set(report.table, nowMs());
        log.info(
          { table: report.table },
          "the cluster's definition of this kind has no status: what is wrong stands in the agents' status",
        );
        continue;
      }
      this.#note(report.path, textOf(conditions));
      if (result === "written") done++;
    }
    return done;
  }

  /** Bounded: what is forgotten may be written once more. */
  #note(path: string, text: string): void {
    if (this.#written.size >= 100_000) this.#written.clear();
    this.#written.set(path, { text, atMs: this.#parts.nowMs() });
  }
}
