/**
 * The answers of one class to all identities. Most identities are met by none of its rules' peers and have the answer that
 * follows from the rest; only the others are looked at, and an identity that comes or goes changes only its own.
 */

import type { Family } from "../net/addr.ts";
import { infoKey, namesOfClass, type PolicyClass, policyTag, stepInfo } from "./classes.ts";
import type { Identity } from "./identity.ts";
import type { Numbers } from "./numbers.ts";
import type { Step } from "./order.ts";
import type { NamedPort, Rule } from "./rule.ts";
import { buildSet, verdictText } from "./set.ts";
import { CLOSED, type ClassRow, defaultSet, type RuleInfo, type SetRow } from "./table.ts";

/** A set, and the rules that its verdicts name. */
export interface BuiltSet {
  readonly number: number;
  readonly rows: readonly SetRow[];
  readonly rules: ReadonlyMap<number, RuleInfo>;
}

/** What a class needs of the tables, before it is known whether they have room. The same object as long as it is the same. */
export interface FoundAnswers {
  readonly row: ClassRow;
  readonly peers: ReadonlyMap<number, number>;
  /** The sets that are in use. */
  readonly sets: ReadonlyMap<number, BuiltSet>;
  readonly rules: ReadonlyMap<number, RuleInfo>;
  /** Rows of all its sets. */
  readonly rows: number;
}

/** Where numbers come from, and how much a class may need. */
export interface AnswerParts {
  readonly sets: Numbers;
  readonly rules: Numbers;
  /** Sets that some class has, by the steps that they follow from. */
  readonly built: Map<string, BuiltSet>;
  readonly maxRows: number;
}

const FAMILIES = [4, 6] as const;
const NO_NAMES: readonly NamedPort[] = [];
const rowText = (r: SetRow) => `${r.prefixLength} ${r.protocol} ${r.port} ${verdictText(r.verdict)}`;

/** See the file's comment. */
export class ClassAnswers {
  readonly of: PolicyClass;
  readonly #parts: AnswerParts;
  /** Places of steps that hold for any peer. */
  readonly #always: readonly number[] = [];
  /** Names of ports that mean the peer's. */
  readonly #asked: ReadonlySet<string>;
  readonly #bySteps = new Map<string, number>();
  readonly #sets = new Map<number, BuiltSet>();
  readonly #rules = new Map<number, RuleInfo>();
  /** They, as they were shown last: others must not see them grow. */
  #shownRules: ReadonlyMap<number, RuleInfo> = new Map();
  /** Sets of the identities that have not the answer of the rest. */
  readonly #own = new Map<Identity, number>();
  /** How many of them have which set. */
  readonly #counts: Readonly<Record<Family, Map<number, number>>> = { 4: new Map(), 6: new Map() };
  readonly #total: Record<Family, number> = { 4: 0, 6: 0 };
  readonly #lastDefault: Record<Family, number | undefined> = { 4: undefined, 6: undefined };
  readonly #rest: Record<Family, number | undefined> = { 4: undefined, 6: undefined };
  #found: FoundAnswers | undefined;
  /** The identities that it was found for. */
  #foundFor: Iterable<Identity> | undefined;
  #rows = 0;

  constructor(of: PolicyClass, parts: AnswerParts) {
    this.of = of;
    this.#parts = parts;
    this.#asked = of.direction === "egress" ? namesOfClass(of) : new Set();
    this.#always = of.steps.flatMap((s, i) => (s.kind === "end" || s.rule.peer.kind === "any" ? [i] : []));
  }

  /** Whether what it says of an identity depends on the ports that the identity declares. */
  get asksForNames(): boolean {
    return this.#asked.size > 0;
  }

  /** Its rules need more rows than a class may have; answers are not complete. */
  get isOver(): boolean {
    return this.#rows > this.#parts.maxRows;
  }

  /** Rules at these places, among those with a peer of their own, mean the identity. */
  answer(identity: Identity, places: readonly number[]): void {
    if (this.isOver) return;
    const names = this.#namesOf(identity);
    if (places.length === 0 && names.length === 0) return;
    const set = this.#setFor(places, identity.family, names);
    if (set === this.#restOf(identity.family)) return;
    this.#own.set(identity, set);
    this.#total[identity.family]++;
    this.#count(identity.family, set, 1);
    this.#found = undefined;
  }

  /** The identity is gone. @returns whether it had an answer that the rest has not */
  forget(identity: Identity): boolean {
    const set = this.#own.get(identity);
    if (set === undefined) return false;
    this.#own.delete(identity);
    this.#total[identity.family]--;
    this.#count(identity.family, set, -1);
    this.#found = undefined;
    return true;
  }

  /** Everything is to be answered anew. */
  clear(): void {
    for (const map of [this.#own, this.#counts[4], this.#counts[6], this.#sets, this.#bySteps]) map.clear();
    this.#found = undefined;
    this.#rows = 0;
    for (const family of FAMILIES) {
      this.#rest[family] = undefined;
      this.#total[family] = 0;
    }
  }

  /**
   * The answers to all identities.
   * @param totals identities of each family
   */
  found(identities: Iterable<Identity>, totals: Readonly<Record<Family, number>>): FoundAnswers {
    // Nothing of its own has changed, and no identity has come or gone.
    if (this.#found !== undefined && identities === this.#foundFor) return this.#found;
    const row = { set4: this.#default(4, totals[4]), set6: this.#default(6, totals[6]) };
    const isRest = FAMILIES.every((f) => defaultSet(row, f) === this.#restOf(f));
    const old = this.#found;
    const isSameRow = old?.row.set4 === row.set4 && old.row.set6 === row.set6;
    // Where the default is another than the rest's answer, all of the rest have rows of their own.
    if (old !== undefined && isSameRow && isRest) {
      this.#foundFor = identities;
      return old;
    }
    const peers = new Map<number, number>();
    if (isRest) for (const [{ number }, set] of this.#own) peers.set(number, set);
    else
      for (const identity of identities) {
        const set = this.#own.get(identity) ?? this.#restOf(identity.family);
        if (set !== defaultSet(row, identity.family)) peers.set(identity.number, set);
      }
    const sets = this.#usedSets(row, totals);
    const rows = [...sets.values()].reduce((sum, set) => sum + set.rows.length, 0);
    this.#foundFor = identities;
    if (this.#shownRules.size !== this.#rules.size) this.#shownRules = new Map(this.#rules);
    this.#found = { row, peers, sets, rules: this.#shownRules, rows };
    return this.#found;
  }

  #namesOf(identity: Identity): readonly NamedPort[] {
    return this.#asked.size === 0 ? NO_NAMES : identity.namedPorts.filter((p) => this.#asked.has(p.name));
  }

  /** The answer to identities that no peer means and that declare no port that is asked for. */
  #restOf(family: Family): number {
    this.#rest[family] ??= this.#setFor([], family, NO_NAMES);
    return this.#rest[family];
  }

  #count(family: Family, set: number, by: 1 | -1): void {
    const counts = this.#counts[family];
    const count = (counts.get(set) ?? 0) + by;
    if (count > 0) counts.set(set, count);
    else counts.delete(set);
  }

  /** The set that most identities of a family have; of equals the one that is the default already. */
  #default(family: Family, total: number): number {
    if (total === 0) return CLOSED;
    const counts = this.#counts[family];
    const rest = this.#restOf(family);
    const ofRest = total - this.#total[family];
    const of = (set: number) => (set === rest ? ofRest : (counts.get(set) ?? 0));
    const before = this.#lastDefault[family] ?? rest;
    let best = of(before) > 0 ? before : rest;
    for (const set of [rest, ...counts.keys()]) if (of(set) > of(best)) best = set;
    this.#lastDefault[family] = best;
    return best;
  }

  /** The sets that are in use; others are forgotten, except for the rest's. */
  #usedSets(row: ClassRow, totals: Readonly<Record<Family, number>>): Map<number, BuiltSet> {
    const used = new Set([row.set4, row.set6]);
    for (const family of FAMILIES) {
      for (const set of this.#counts[family].keys()) used.add(set);
      if (totals[family] > this.#total[family]) used.add(this.#restOf(family));
    }
    const rest = new Set(FAMILIES.map((family) => this.#restOf(family)));
    for (const [key, set] of this.#bySteps) if (!used.has(set) && !rest.has(set)) this.#bySteps.delete(key);
    for (const [set, { rows }] of this.#sets) {
      if (used.has(set) || rest.has(set)) continue;
      this.#sets.delete(set);
      this.#rows -= rows.length;
    }
    return new Map([...this.#sets].filter(([set]) => used.has(set)));
  }

  #setFor(places: readonly number[], family: Family, ofPeer: readonly NamedPort[]): number {
    // Named ports are those of the pod that the traffic goes to.
    const names = this.of.direction === "ingress" ? this.of.names : ofPeer;
    const all = places.length === 0 ? this.#always : [...this.#always, ...places].sort((a, b) => a - b);
    const namesText = names.map((n) => `${n.name}:${n.protocol}:${n.port}`).join(" ");
    const key = `${family} ${all.join(",")} ${namesText}`;
    const known = this.#bySteps.get(key);
    if (known !== undefined) return known;
    const steps = all.flatMap((i) => this.of.steps[i] ?? []);
    const built = this.#build(steps, family, names, namesText);
    this.#bySteps.set(key, built.number);
    if (!this.#sets.has(built.number)) this.#rows += built.rows.length;
    this.#sets.set(built.number, built);
    for (const [rule, info] of built.rules) this.#rules.set(rule, info);
    return built.number;
  }

  /** The set of those steps, which another class may have already. */
  #build(steps: readonly Step[], family: Family, names: readonly NamedPort[], namesText: string): BuiltSet {
    const { direction } = this.of;
    const stepTexts = steps.map(
      (s) => `${s.tier}:${s.kind === "rule" ? `${policyTag(s.policy)}.${ruleTag(s.rule)}` : endText(s, direction)}`,
    );
    const key = `${direction} ${family} ${stepTexts.join(",")} ${namesText}`;
    const known = this.#parts.built.get(key);
    if (known !== undefined) return known;
    const rules = new Map<number, RuleInfo>();
    const numberOf = (step: Step) => {
      const info = stepInfo(step, direction);
      const number = this.#parts.rules.numberOf(infoKey(info));
      rules.set(number, info);
      return number;
    };
    const rows = buildSet({ steps, family, names, numberOf });
    const built = { number: this.#parts.sets.numberOf(rows.map(rowText).join("\n")), rows, rules };
    this.#parts.built.set(key, built);
    return built;
  }
}

const ruleTags = new WeakMap<Rule, number>();
let nextTag = 0;

/** The same object has the same; a rule that changed is another object. Several policies may have the same. */
function ruleTag(rule: Rule): number {
  const tag = ruleTags.get(rule) ?? nextTag++;
  ruleTags.set(rule, tag);
  return tag;
}

function endText(step: Step & { kind: "end" }, direction: PolicyClass["direction"]): string {
  return JSON.stringify([step.of.end, step.isStaged, infoKey(stepInfo(step, direction))]);
}
