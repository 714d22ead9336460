/**
 * The answers of one class to all identities. Most identities are met by none of its rules' peers and have the answer that
 * follows from the rest; only the others are looked at, and an identity that comes or goes changes only its own.
 */

import type { Family } from "../net/addr.ts";
import { AnswerTally } from "./answer-tally.ts";
import { ClassSets, type SharedParts } from "./class-sets.ts";
import { namesOfClass, type PolicyClass } from "./classes.ts";
import type { Identity } from "./identity.ts";
import { NO_WALK, PlaceWalks } from "./place-walks.ts";
import type { NamedPort } from "./rule.ts";
import type { BuiltSet } from "./shared-sets.ts";
import { CLOSED, type ClassRow, defaultSet } from "./table.ts";

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
export interface AnswerParts extends SharedParts {
  readonly maxRows: number;
}

const FAMILIES = [4, 6] as const;
const NO_NAMES: readonly NamedPort[] = [];

/** See the file's comment. Holds its sets and rules until it ends. */
export class ClassAnswers {
  readonly of: PolicyClass;
  readonly #sets: ClassSets;
  readonly #maxRows: number;
  /** Names of ports that mean the peer's. */
  readonly #asked: ReadonlySet<string>;
  /** Sets of the identities that have not the answer of the rest. */
  readonly #own = new Map<Identity, number>();
  readonly #tally: Readonly<Record<Family, AnswerTally>> = { 4: new AnswerTally(), 6: new AnswerTally() };
  readonly #rest: Record<Family, number | undefined> = { 4: undefined, 6: undefined };
  /** Whether what was found last has the rest's answers as defaults. */
  #isRest = false;
  #found: FoundAnswers | undefined;
  /** Whom it was found for, by their revision. */
  #foundAt: number | undefined;
  #isOver = false;

  constructor(of: PolicyClass, parts: AnswerParts) {
    this.of = of;
    this.#sets = new ClassSets(of, parts);
    this.#maxRows = parts.maxRows;
    this.#asked = of.direction === "egress" ? namesOfClass(of) : new Set();
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
    const set = this.#sets.find(places, family, names);
    if (set === this.#restOf(family)) return;
    this.#own.set(identity, set);
    this.#count(set, family, 1);
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
        if (!this.#isOver)
          this.#answerAlike(identities, this.#sets.find(walks.placesOf(walk), family, NO_NAMES), family);
      });
  }

  #answerAlike(identities: readonly Identity[], set: number, family: Family): void {
    if (set === this.#restOf(family)) return;
    for (const identity of identities) this.#own.set(identity, set);
    this.#count(set, family, identities.length);
  }

  /** So many more identities have the set. */
  #count(set: number, family: Family, identities: number): void {
    this.#tally[family].add(set, identities);
    this.#sets.use(set, identities);
    this.#found = undefined;
    if (this.#sets.rows > this.#maxRows) this.#giveUp();
  }

  /** The identity is gone. */
  forget(identity: Identity): void {
    const set = this.#own.get(identity);
    if (set === undefined) return;
    this.#own.delete(identity);
    this.#tally[identity.family].remove(set);
    this.#sets.leave(set);
    this.#found = undefined;
  }

  /** Everything is to be answered anew. */
  clear(): void {
    this.#sets.clear();
    this.#own.clear();
    this.#found = undefined;
    this.#isOver = false;
    this.#isRest = false;
    for (const family of FAMILIES) {
      this.#rest[family] = undefined;
      this.#tally[family].clear();
    }
  }

  /** Nobody is of this class any more. */
  end(): void {
    this.clear();
    this.#sets.end();
  }

  /** The answers to all identities. */
  found(everybody: Everybody): FoundAnswers {
    const { totals, revision } = everybody;
    // Nothing of its own has changed, and no identity has come or gone, or none that makes a difference.
    const isSame = this.#found !== undefined && (revision === this.#foundAt || this.#isRestStill(totals));
    this.#foundAt = revision;
    if (this.#found !== undefined && isSame) return this.#found;
    if (!this.#isOver) for (const family of FAMILIES) this.#restOf(family);
    if (this.#sets.rows > this.#maxRows) this.#giveUp();
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
    this.#sets.dropIdle();
    this.#found = { isOver: false, row, peers: this.#peers(row, isRest, everybody), sets: this.#usedSets(totals) };
    return this.#found;
  }

  /** Whether the rest's answers, which were the defaults, are the commonest of each family again. */
  #isRestStill(totals: Readonly<Record<Family, number>>): boolean {
    return this.#isRest && FAMILIES.every((family) => this.#tally[family].isRestStill(totals[family]));
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
      rest = this.#sets.find([], family, NO_NAMES);
      this.#rest[family] = rest;
      this.#sets.use(rest, 1);
    }
    return rest;
  }

  /** The set that most identities of a family have. */
  #default(family: Family, total: number): number {
    return total === 0 ? CLOSED : this.#tally[family].choose(this.#restOf(family), total);
  }

  /** The sets that some identity has. */
  #usedSets(totals: Readonly<Record<Family, number>>): Map<number, BuiltSet> {
    const used = new Map<number, BuiltSet>();
    const add = (set: number) => {
      const built = this.#sets.get(set);
      if (built !== undefined) used.set(set, built);
    };
    for (const family of FAMILIES) {
      for (const set of this.#tally[family].sets) add(set);
      if (totals[family] > this.#tally[family].counted) add(this.#restOf(family));
    }
    return used;
  }
}
