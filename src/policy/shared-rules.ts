/** Numbers of the rules that classes name in their answers: the same number for as long as any class names the rule. */

import { infoKey } from "./classes.ts";
import { createNumbers, type Numbers } from "./numbers.ts";
import type { RuleInfo } from "./table.ts";

/** A rule with its number. */
export type NumberedRule = readonly [number: number, info: RuleInfo];

/** See the file's comment. Who has asked for a number holds it, or it may be another the next time. */
export class SharedRules {
  readonly #numbers: Numbers;
  readonly #holders = new Map<number, number>();
  readonly #current = new Map<number, RuleInfo>();
  #gone: NumberedRule[] = [];

  /** @param first the lowest number that is given */
  constructor(first: number) {
    this.#numbers = createNumbers(first);
  }

  /** Those that are held. It changes as they do. */
  get current(): ReadonlyMap<number, RuleInfo> {
    return this.#current;
  }

  numberOf(info: RuleInfo): number {
    return this.#numbers.numberOf(infoKey(info));
  }

  hold(number: number, info: RuleInfo): void {
    const holders = this.#holders.get(number) ?? 0;
    this.#holders.set(number, holders + 1);
    if (holders === 0) this.#current.set(number, info);
  }

  release(number: number): void {
    const holders = (this.#holders.get(number) ?? 0) - 1;
    if (holders > 0) {
      this.#holders.set(number, holders);
      return;
    }
    this.#holders.delete(number);
    const info = this.#current.get(number);
    if (info === undefined) return;
    this.#current.delete(number);
    this.#numbers.forget(infoKey(info));
    this.#gone.push([number, info]);
  }

  /** Those that nobody holds any more, since this was asked last. */
  takeGone(): readonly NumberedRule[] {
    const gone = this.#gone;
    this.#gone = [];
    return gone;
  }
}
