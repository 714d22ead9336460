/** What rule numbers stand for, also those of rules that went not long ago: what a program told of them comes after them. */

import type { NumberedRule } from "./shared-rules.ts";
import type { RuleInfo } from "./table.ts";

/** How many rules that went are remembered. */
const REMEMBERED_RULES = 4096;

/** A rule by its number. */
export interface FoundRule {
  readonly info: RuleInfo;
  /** It is still in force. */
  readonly isCurrent: boolean;
}

/** See the file's comment. Numbers are never given twice, so that none can stand for two rules. */
export class RuleBook {
  readonly #capacity: number;
  #current: ReadonlyMap<number, RuleInfo> = new Map();
  /** The latest that went last. */
  readonly #gone = new Map<number, RuleInfo>();
  #forgotten = 0;

  constructor(capacity = REMEMBERED_RULES) {
    this.#capacity = capacity;
  }

  /**
   * @param rules those in force, now and whenever somebody asks
   * @param gone those that are not among them any more: they are remembered, and the oldest of them forgotten
   */
  take(rules: ReadonlyMap<number, RuleInfo>, gone: Iterable<NumberedRule>): void {
    this.#current = rules;
    for (const [number, info] of gone) this.#gone.set(number, info);
    for (const number of this.#gone.keys()) {
      if (this.#gone.size <= this.#capacity) return;
      this.#gone.delete(number);
      this.#forgotten++;
    }
  }

  find(number: number): FoundRule | undefined {
    const current = this.#current.get(number);
    if (current !== undefined) return { info: current, isCurrent: true };
    const gone = this.#gone.get(number);
    return gone === undefined ? undefined : { info: gone, isCurrent: false };
  }

  /** Rules that went and are not remembered any more. */
  get forgotten(): number {
    return this.#forgotten;
  }
}
