/**
 * The sets of one class: its answers over all ports, by the rules that mean a peer. It holds them for as long as somebody
 * has them, and the rules that they name until the class ends.
 */

import { remembered } from "../base/remembered.ts";
import type { Family } from "../net/addr.ts";
import { type PolicyClass, policyTag, stepInfo } from "./classes.ts";
import type { Step } from "./order.ts";
import type { NamedPort, Rule } from "./rule.ts";
import type { SetShapes } from "./set-shapes.ts";
import type { NumberedRule, SharedRules } from "./shared-rules.ts";
import type { BuiltSet, SharedSets } from "./shared-sets.ts";
import type { RuleInfo } from "./table.ts";

/** What classes share. */
export interface SharedParts {
  readonly sets: SharedSets;
  readonly shapes: SetShapes;
  readonly rules: SharedRules;
}

/** A set of the class. */
interface OwnSet {
  readonly built: BuiltSet;
  /** Keys of what it answers to. */
  readonly keys: (string | number)[];
  users: number;
}

const ascending = (a: number, b: number) => a - b;

function isAscending(numbers: readonly number[]): boolean {
  for (let i = 1; i < numbers.length; i++) if ((numbers[i - 1] as number) > (numbers[i] as number)) return false;
  return true;
}

/** More steps than any class has. */
const MANY_PLACES = 2 ** 24;

/**
 * Equal for the same places in the same order, family and names. Most identities are meant by one rule or two, and there are
 * hundreds of identities for each answer: a number needs no text to be made.
 */
function keyOf(places: readonly number[], family: Family, namesText: string): string | number {
  const [first = -1, second = -1] = places;
  if (places.length > 2 || namesText !== "" || first >= MANY_PLACES - 1 || second >= MANY_PLACES - 1)
    return `${family} ${places.join()} ${namesText}`;
  return 2 * ((first + 1) * MANY_PLACES + second + 1) + (family === 4 ? 0 : 1);
}

/** See the file's comment. */
export class ClassSets {
  readonly #of: PolicyClass;
  readonly #shared: SharedParts;
  /** Places of steps that hold for any peer. */
  readonly #always: readonly number[];
  /** Of its steps, as far as they were asked for. */
  readonly #texts: string[] = [];
  readonly #bySteps = new Map<string | number, number>();
  readonly #sets = new Map<number, OwnSet>();
  /** Sets without users: they may get some before the next look. */
  readonly #idle = new Set<number>();
  /** Rules that its sets name, or have named: a rule keeps its number, and its counters, while nobody is met by it. */
  readonly #rules = new Set<number>();
  /** Of its steps, as far as they were asked for. */
  readonly #numbers = new Map<Step, NumberedRule>();
  #rows = 0;

  constructor(of: PolicyClass, shared: SharedParts) {
    this.#of = of;
    this.#shared = shared;
    this.#always = of.steps.flatMap((s, i) => (s.kind === "end" || s.rule.peer.kind === "any" ? [i] : []));
  }

  /** Of the sets that have users: at the end of a change it does not depend on what was before. */
  get rows(): number {
    return this.#rows;
  }

  /** A set that it holds. */
  get(set: number): BuiltSet | undefined {
    return this.#sets.get(set)?.built;
  }

  /**
   * The number of the set for peers whom rules at these places mean, those aside that mean any peer.
   * @param ofPeer ports that the peers declare, where rules ask for them
   */
  find(places: readonly number[], family: Family, ofPeer: readonly NamedPort[]): number {
    // Named ports are those of the pod that the traffic goes to.
    const names = this.#of.direction === "ingress" ? this.#of.names : ofPeer;
    const namesText = names.length === 0 ? "" : names.map((n) => `${n.name}:${n.protocol}:${n.port}`).join(" ");
    const own = isAscending(places) ? places : [...places].sort(ascending);
    const key = keyOf(own, family, namesText);
    const known = this.#bySteps.get(key);
    if (known !== undefined) return known;
    const all = own.length === 0 ? this.#always : [...this.#always, ...own].sort(ascending);
    const built = this.#build(all, family, names, namesText);
    this.#bySteps.set(key, built.number);
    const mine = this.#sets.get(built.number);
    if (mine !== undefined) mine.keys.push(key);
    else {
      this.#shared.sets.hold(built.number);
      this.#sets.set(built.number, { built, keys: [key], users: 0 });
      this.#idle.add(built.number);
    }
    for (const [rule, info] of built.rules) {
      if (this.#rules.has(rule)) continue;
      this.#rules.add(rule);
      this.#shared.rules.hold(rule, info);
    }
    return built.number;
  }

  /** So many more have the set. */
  use(set: number, users: number): void {
    const own = this.#sets.get(set);
    if (own === undefined) return;
    own.users += users;
    if (own.users > users) return;
    this.#idle.delete(set);
    this.#rows += own.built.rows.length;
  }

  /** One has it no longer. */
  leave(set: number): void {
    const own = this.#sets.get(set);
    if (own === undefined || --own.users > 0) return;
    this.#idle.add(set);
    this.#rows -= own.built.rows.length;
  }

  /** Lets go of the sets that nobody uses. */
  dropIdle(): void {
    for (const set of this.#idle) {
      for (const key of this.#sets.get(set)?.keys ?? []) this.#bySteps.delete(key);
      this.#sets.delete(set);
      this.#shared.sets.release(set);
    }
    this.#idle.clear();
  }

  /** Lets go of all sets. */
  clear(): void {
    for (const set of this.#sets.keys()) this.#shared.sets.release(set);
    for (const map of [this.#sets, this.#bySteps, this.#idle]) map.clear();
    this.#rows = 0;
  }

  /** And of the rules. */
  end(): void {
    this.clear();
    for (const rule of this.#rules) this.#shared.rules.release(rule);
    this.#rules.clear();
    this.#numbers.clear();
  }

  /** The set of the steps at those places, which another class may have already. */
  #build(places: readonly number[], family: Family, names: readonly NamedPort[], namesText: string): BuiltSet {
    const { direction } = this.#of;
    const stepTexts = places.map((place) => this.#stepText(place));
    return this.#shared.sets.find(`${direction} ${family} ${stepTexts.join(",")} ${namesText}`, () => {
      const rules = new Map<number, RuleInfo>();
      const numberOf = (step: Step) => {
        const [number, info] = this.#numberOf(step);
        rules.set(number, info);
        return number;
      };
      const steps = places.flatMap((place) => this.#of.steps[place] ?? []);
      return { rows: this.#shared.shapes.build({ steps, family, names, numberOf }), rules };
    });
  }

  /** What no set of the class names is not held, and may have another number by now. */
  #numberOf(step: Step): NumberedRule {
    let known = this.#numbers.get(step);
    if (known === undefined || !this.#rules.has(known[0])) {
      const info = stepInfo(step, this.#of.direction);
      known = [this.#shared.rules.numberOf(info), info];
      this.#numbers.set(step, known);
    }
    return known;
  }

  /** Equal texts, equal steps, in whatever class. */
  #stepText(place: number): string {
    let text = this.#texts[place];
    if (text === undefined) {
      const step = this.#of.steps[place] as Step;
      const what =
        step.kind === "rule"
          ? `${policyTag(step.policy)}.${ruleTag(step.rule)}`
          : `end ${step.of.end} ${step.isStaged} ${step.by.map(policyTag).join(" ")} ${step.of.name}`;
      text = `${step.tier}:${what}`;
      this.#texts[place] = text;
    }
    return text;
  }
}

let nextTag = 0;

/** The same object has the same; a rule that changed is another object. Several policies may have the same. */
const ruleTag = remembered((_: Rule) => nextTag++);
