/** How often rules decided, as the programs count it: read when somebody asks, and cleared of rules that are long gone. */

import type { Kernel } from "../../kernel/kernel.ts";
import { decodePolicyHitKey, encodePolicyHitKey, HitFlag } from "../../net/gen/bpf-maps.ts";
import { metricSum } from "../../net/per-cpu.ts";
import type { RuleBook } from "../../policy/rule-book.ts";
import type { RuleInfo } from "../../policy/table.ts";

/** The map of counters. */
const HITS_MAP = "policy_hits";

/** Verdicts: of new flows, of flows that were judged again, and one for each denied packet. */
export interface HitCount {
  readonly packets: number;
  readonly bytes: number;
}

/** Of one rule. */
export interface RuleHits {
  readonly decided: HitCount;
  /** What it would have decided if staged policies were enforced, and did not. */
  readonly staged: HitCount;
}

/** Nothing was counted. */
export const NO_HITS: RuleHits = { decided: { packets: 0, bytes: 0 }, staged: { packets: 0, bytes: 0 } };

/** A figure that only grows, by what it is about. Few: no object has one of its own. */
export interface HitTotal {
  /** Kind of the rule's object; at a tier's end of those that isolate, and `mixed` where they are of several kinds. */
  readonly kind: string;
  readonly direction: string;
  readonly action: string;
  readonly isStaged: boolean;
  readonly packets: number;
}

type HitKernel = Pick<Kernel, "mapRows" | "deleteMapKeys">;

/** Sum of two counts. */
export function addHits(a: HitCount, b: HitCount): HitCount {
  return { packets: a.packets + b.packets, bytes: a.bytes + b.bytes };
}

function kindOf(info: RuleInfo): string {
  if (info.ref !== undefined) return info.ref.kind;
  const [first, ...others] = new Set(info.isolatedBy.map((r) => r.kind));
  return first === undefined || others.length > 0 ? "mixed" : first;
}

/** See the file's comment. */
export class PolicyHits {
  readonly #kernel: HitKernel;
  readonly #book: Pick<RuleBook, "find">;
  /** Of rules whose counters were cleared. */
  readonly #cleared = new Map<string, HitTotal>();

  constructor(kernel: HitKernel, book: Pick<RuleBook, "find">) {
    this.#kernel = kernel;
    this.#book = book;
  }

  /** Of every rule that decided, by number. */
  read(): Map<number, RuleHits> {
    const hits = new Map<number, RuleHits>();
    for (const { rule, isStaged, count } of this.#rows()) {
      const { decided, staged } = hits.get(rule) ?? NO_HITS;
      hits.set(rule, isStaged ? { decided, staged: count } : { decided: count, staged });
    }
    return hits;
  }

  /** Totals since this agent's start, those of rules that went included. Of an earlier agent's rules nothing is known. */
  totals(): HitTotal[] {
    const totals = new Map(this.#cleared);
    for (const row of this.#rows()) this.#add(totals, row);
    return [...totals.values()];
  }

  /**
   * Removes the counters of rules that went: their numbers never come again, and the map would fill.
   * Not while an earlier agent's tables are still asked: its rules are not known here.
   */
  clear(): void {
    const gone = [...this.#rows()].filter(({ rule }) => this.#book.find(rule)?.isCurrent !== true);
    if (gone.length === 0) return;
    for (const row of gone) this.#add(this.#cleared, row);
    this.#kernel.deleteMapKeys(
      HITS_MAP,
      gone.map(({ rule, isStaged }) => encodePolicyHitKey({ rule: isStaged ? rule + HitFlag.stagedHit : rule })),
    );
  }

  *#rows(): Generator<{ readonly rule: number; readonly isStaged: boolean; readonly count: HitCount }> {
    for (const row of this.#kernel.mapRows(HITS_MAP)) {
      const { rule } = decodePolicyHitKey(row.key);
      const isStaged = rule >= HitFlag.stagedHit;
      yield { rule: isStaged ? rule - HitFlag.stagedHit : rule, isStaged, count: metricSum(row.value) };
    }
  }

  #add(totals: Map<string, HitTotal>, row: { rule: number; isStaged: boolean; count: HitCount }): void {
    const info = this.#book.find(row.rule)?.info;
    if (info === undefined) return;
    const [kind, { direction, action }, { isStaged }] = [kindOf(info), info, row];
    const key = `${kind} ${direction} ${action} ${isStaged}`;
    const packets = (totals.get(key)?.packets ?? 0) + row.count.packets;
    totals.set(key, { kind, direction, action, isStaged, packets });
  }
}
