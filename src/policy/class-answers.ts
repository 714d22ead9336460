/**
 * The answers of one class to all identities. Most identities are met by none of its rules' peers and have the answer that
 * follows from the rest; only the others are looked at, and an identity that comes or goes changes only its own.
 */

import { remembered } from "../base/remembered.ts";
import type { Family } from "../net/addr.ts";
import { namesOfClass, type PolicyClass, policyTag, stepInfo } from "./classes.ts";
import type { Identity } from "./identity.ts";
import type { Step } from "./order.ts";
import { NO_WALK, PlaceWalks } from "./place-walks.ts";
import type { NamedPort, Rule } from "./rule.ts";
import { buildSet } from "./set.ts";
import type { NumberedRule, SharedRules } from "./shared-rules.ts";
import type { BuiltSet, SharedSets } from "./shared-sets.ts";
import { CLOSED, type ClassRow, defaultSet, type RuleInfo } from "./table.ts";

/** What a class needs of the tables, before it is known whether they have room. The same object as long as it is the same. */
export interface FoundAnswers {
  /** It needs more rows than a class may have: nothing of it is here. */
  readonly isOver: boolean;
  readonly row: ClassRow;
  readonly peers: ReadonlyMap<number, number>;
  /** The sets that are in use. */
  readonly sets: ReadonlyMap<number, BuiltSet>;
}

const OVER: FoundAnswers = {
  isOver: true,
  row: { set4: CLOSED, set6: CLOSED },
  peers: new Map(),
  sets: new Map(),
};

/** Everybody who may be a peer. */
export interface Everybody {
  readonly identities: Iterable<Identity>;
  /** Identities of each family. */
  readonly totals: Readonly<Record<Family, number>>;
  /** Another number whenever identities have come or gone. */
  readonly revision: number;
}

/** What classes share, and how much one may need. */
export interface AnswerParts {
  readonly sets: SharedSets;
  readonly rules: SharedRules;
  readonly maxRows: number;
}

/** A set of the class. */
interface OwnSet {
  readonly built: BuiltSet;
  /** Keys of what it answers to. */
  readonly keys: (string | number)[];
  /** Identities that have it, and one for each family whose rest has it. */
  users: number;
}

const FAMILIES = [4, 6] as const;
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
const NO_NAMES: readonly NamedPort[] = [];

/** See the file's comment. Holds its sets and rules until it ends. */
export class ClassAnswers {
  readonly of: PolicyClass;
  readonly #parts: AnswerParts;
  /** Places of steps that hold for any peer. */
  readonly #always: readonly number[] = [];
  /** Names of ports that mean the peer's. */
  readonly #asked: ReadonlySet<string>;
  /** Of its steps, as far as they were asked for. */
  readonly #texts: string[] = [];
  readonly #bySteps = new Map<string | number, number>();
  readonly #sets = new Map<number, OwnSet>();
  /** Sets without users: they may get some before the next look. */
  readonly #idle = new Set<number>();
  /** Rules that its answers name, or have named: a rule keeps its number, and its counters, while nobody is met by it. */
  readonly #rules = new Set<number>();
  /** Of its steps, as far as they were asked for. */
  readonly #numbers = new Map<Step, NumberedRule>();
  /** Sets of the identities that have not the answer of the rest. */
  readonly #own = new Map<Identity, number>();
  /** How many of them have which set. */
  readonly #counts: Readonly<Record<Family, Map<number, number>>> = { 4: new Map(), 6: new Map() };
  readonly #total: Record<Family, number> = { 4: 0, 6: 0 };
  readonly #lastDefault: Record<Family, number | undefined> = { 4: undefined, 6: undefined };
  readonly #rest: Record<Family, number | undefined> = { 4: undefined, 6: undefined };
  /** Whether what was found last has the rest's answers as defaults, and how many identities have the commonest of the others. */
  #isRest = false;
  readonly #most: Record<Family, number> = { 4: 0, 6: 0 };
  #found: FoundAnswers | undefined;
  /** Whom it was found for, by their revision. */
  #foundAt: number | undefined;
  /** Of the sets that have users: at the end of a change it does not depend on what was before. */
  #rows = 0;
  #isOver = false;

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

  /** Its rules need more rows than a class may have: it has no answers. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Rules at these places, among those with a peer of their own, mean the identity. Those that are gone are forgotten before. */
  answer(identity: Identity, places: readonly number[]): void {
    if (this.#isOver) return;
    const { family } = identity;
    const names = this.#namesOf(identity);
    if (places.length === 0 && names.length === 0) return;
    const set = this.#setFor(places, family, names);
    if (set === this.#restOf(family)) return;
    this.#own.set(identity, set);
    this.#total[family]++;
    this.#counts[family].set(set, (this.#counts[family].get(set) ?? 0) + 1);
    this.#use(set);
    this.#found = undefined;
    if (this.#rows > this.#parts.maxRows) this.#giveUp();
  }

  /**
   * The same for all that there are, of a class that has no answers yet.
   * @param meant whom each rule's peer means, rules by their places in ascending order
   */
  answerAll(
    meant: Iterable<readonly [place: number, identities: Iterable<Identity>]>,
    everybody: Iterable<Identity>,
  ): void {
    const walks = new PlaceWalks();
    const walkOf = new Map<Identity, number>();
    for (const [place, identities] of meant)
      for (const identity of identities) walkOf.set(identity, walks.with(walkOf.get(identity) ?? NO_WALK, place));
    if (this.asksForNames) {
      for (const identity of everybody) this.answer(identity, walks.placesOf(walkOf.get(identity) ?? NO_WALK));
      return;
    }
    // There are tens of identities for each answer, and more.
    const alike: Record<Family, Identity[][]> = { 4: [], 6: [] };
    walkOf.forEach((walk, identity) => {
      const of = alike[identity.family];
      const some = of[walk];
      if (some === undefined) of[walk] = [identity];
      else some.push(identity);
    });
    for (const family of FAMILIES)
      alike[family].forEach((identities, walk) => {
        if (!this.#isOver) this.#answerAlike(identities, this.#setFor(walks.placesOf(walk), family, NO_NAMES), family);
      });
  }

  #answerAlike(identities: readonly Identity[], set: number, family: Family): void {
    if (set === this.#restOf(family)) return;
    for (const identity of identities) this.#own.set(identity, set);
    this.#total[family] += identities.length;
    this.#counts[family].set(set, (this.#counts[family].get(set) ?? 0) + identities.length);
    this.#use(set, identities.length);
    this.#found = undefined;
    if (this.#rows > this.#parts.maxRows) this.#giveUp();
  }

  /** The identity is gone. */
  forget(identity: Identity): void {
    const set = this.#own.get(identity);
    if (set === undefined) return;
    const { family } = identity;
    this.#own.delete(identity);
    this.#total[family]--;
    const count = (this.#counts[family].get(set) ?? 0) - 1;
    if (count > 0) this.#counts[family].set(set, count);
    else this.#counts[family].delete(set);
    this.#leave(set);
    this.#found = undefined;
  }

  /** Everything is to be answered anew. */
  clear(): void {
    for (const set of this.#sets.keys()) this.#parts.sets.release(set);
    for (const map of [this.#own, this.#counts[4], this.#counts[6], this.#sets, this.#bySteps, this.#idle]) map.clear();
    this.#found = undefined;
    this.#rows = 0;
    this.#isOver = false;
    this.#isRest = false;
    for (const family of FAMILIES) {
      this.#rest[family] = undefined;
      this.#lastDefault[family] = undefined;
      this.#total[family] = 0;
    }
  }

  /** Nobody is of this class any more. */
  end(): void {
    this.clear();
    for (const rule of this.#rules) this.#parts.rules.release(rule);
    this.#rules.clear();
    this.#numbers.clear();
  }

  /** The answers to all identities. */
  found(everybody: Everybody): FoundAnswers {
    const { totals, revision } = everybody;
    // Nothing of its own has changed, and no identity has come or gone, or none that makes a difference.
    const isSame = this.#found !== undefined && (revision === this.#foundAt || this.#isRestStill(totals));
    this.#foundAt = revision;
    if (this.#found !== undefined && isSame) return this.#found;
    if (!this.#isOver) for (const family of FAMILIES) this.#restOf(family);
    if (this.#rows > this.#parts.maxRows) this.#giveUp();
    if (this.#isOver) {
      this.#found = OVER;
      return OVER;
    }
    const row = { set4: this.#default(4, totals[4]), set6: this.#default(6, totals[6]) };
    const isRest = FAMILIES.every((f) => defaultSet(row, f) === this.#restOf(f));
    const old = this.#found;
    const isSameRow = old?.row.set4 === row.set4 && old.row.set6 === row.set6;
    // Where the default is another than the rest's answer, all of the rest have rows of their own.
    this.#isRest = isRest;
    if (old !== undefined && isSameRow && isRest) return old;
    this.#drop();
    this.#found = { isOver: false, row, peers: this.#peers(row, isRest, everybody), sets: this.#usedSets(totals) };
    return this.#found;
  }

  /** Whether the rest's answers, which were the defaults, are the commonest of each family again. */
  #isRestStill(totals: Readonly<Record<Family, number>>): boolean {
    if (!this.#isRest) return false;
    for (const family of FAMILIES)
      if (totals[family] - this.#total[family] < Math.max(1, this.#most[family])) return false;
    return true;
  }

  /** The identities that have not the default. */
  #peers(row: ClassRow, isRest: boolean, { identities }: Everybody): Map<number, number> {
    const peers = new Map<number, number>();
    if (isRest) for (const [{ number }, set] of this.#own) peers.set(number, set);
    else
      for (const identity of identities) {
        const set = this.#own.get(identity) ?? this.#restOf(identity.family);
        if (set !== defaultSet(row, identity.family)) peers.set(identity.number, set);
      }
    return peers;
  }

  /** What has no room keeps no room. */
  #giveUp(): void {
    this.clear();
    this.#isOver = true;
  }

  #namesOf(identity: Identity): readonly NamedPort[] {
    return this.#asked.size === 0 ? NO_NAMES : identity.namedPorts.filter((p) => this.#asked.has(p.name));
  }

  /** The answer to identities that no peer means and that declare no port that is asked for. */
  #restOf(family: Family): number {
    let rest = this.#rest[family];
    if (rest === undefined) {
      rest = this.#setFor([], family, NO_NAMES);
      this.#rest[family] = rest;
      this.#use(rest);
    }
    return rest;
  }

  #use(set: number, users = 1): void {
    const own = this.#sets.get(set);
    if (own === undefined) return;
    own.users += users;
    if (own.users > users) return;
    this.#idle.delete(set);
    this.#rows += own.built.rows.length;
  }

  #leave(set: number): void {
    const own = this.#sets.get(set);
    if (own === undefined || --own.users > 0) return;
    this.#idle.add(set);
    this.#rows -= own.built.rows.length;
  }

  /** Lets go of the sets that nobody uses. */
  #drop(): void {
    for (const set of this.#idle) {
      for (const key of this.#sets.get(set)?.keys ?? []) this.#bySteps.delete(key);
      this.#sets.delete(set);
      this.#parts.sets.release(set);
    }
    this.#idle.clear();
  }

  /** The set that most identities of a family have; of equals the one that is the default already. */
  #default(family: Family, total: number): number {
    if (total === 0) return CLOSED;
    const counts = this.#counts[family];
    const rest = this.#restOf(family);
    const ofRest = total - this.#total[family];
    const before = this.#lastDefault[family] ?? rest;
    let best = rest;
    let most = ofRest;
    const ofBefore = counts.get(before) ?? 0;
    if (before !== rest && ofBefore > 0 && ofBefore >= ofRest) {
      best = before;
      most = ofBefore;
    }
    // Asked of every class whenever an identity comes or goes: nothing is made for it.
    let mostOwn = 0;
    counts.forEach((count, set) => {
      if (count > mostOwn) mostOwn = count;
      if (count <= most) return;
      best = set;
      most = count;
    });
    this.#most[family] = mostOwn;
    this.#lastDefault[family] = best;
    return best;
  }

  /** The sets that some identity has. */
  #usedSets(totals: Readonly<Record<Family, number>>): Map<number, BuiltSet> {
    const used = new Map<number, BuiltSet>();
    const add = (set: number) => {
      const own = this.#sets.get(set);
      if (own !== undefined) used.set(set, own.built);
    };
    for (const family of FAMILIES) {
      for (const set of this.#counts[family].keys()) add(set);
      if (totals[family] > this.#total[family]) add(this.#restOf(family));
    }
    return used;
  }

  #setFor(places: readonly number[], family: Family, ofPeer: readonly NamedPort[]): number {
    // Named ports are those of the pod that the traffic goes to.
    const names = this.of.direction === "ingress" ? this.of.names : ofPeer;
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
      this.#parts.sets.hold(built.number);
      this.#sets.set(built.number, { built, keys: [key], users: 0 });
      this.#idle.add(built.number);
    }
    for (const [rule, info] of built.rules) {
      if (this.#rules.has(rule)) continue;
      this.#rules.add(rule);
      this.#parts.rules.hold(rule, info);
    }
    return built.number;
  }

  /** The set of the steps at those places, which another class may have already. */
  #build(places: readonly number[], family: Family, names: readonly NamedPort[], namesText: string): BuiltSet {
    const { direction } = this.of;
    const stepTexts = places.map((place) => this.#stepText(place));
    return this.#parts.sets.find(`${direction} ${family} ${stepTexts.join(",")} ${namesText}`, () => {
      const rules = new Map<number, RuleInfo>();
      const numberOf = (step: Step) => {
        const [number, info] = this.#numberOf(step);
        rules.set(number, info);
        return number;
      };
      const steps = places.flatMap((place) => this.of.steps[place] ?? []);
      return { rows: buildSet({ steps, family, names, numberOf }), rules };
    });
  }

  /** What no set of the class names is not held, and may have another number by now. */
  #numberOf(step: Step): NumberedRule {
    let known = this.#numbers.get(step);
    if (known === undefined || !this.#rules.has(known[0])) {
      const info = stepInfo(step, this.of.direction);
      known = [this.#parts.rules.numberOf(info), info];
      this.#numbers.set(step, known);
    }
    return known;
  }

  /** Equal texts, equal steps, in whatever class. */
  #stepText(place: number): string {
    let text = this.#texts[place];
    if (text === undefined) {
      const step = this.of.steps[place] as Step;
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
