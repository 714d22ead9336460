/** Profiles and identities as the partition keeps them, and how profiles find their identity when atoms come and go. */

import type { CompactSet } from "../base/compact-set.ts";
import type { Family } from "../net/addr.ts";
import type { Identity } from "./identity.ts";
import type { Place } from "./places.ts";
import type { Atom, Facts, NamedPort } from "./rule.ts";

/** A row whose identity follows from a profile: that of a known address, or of a place. */
export interface Holder {
  /** Unique among the rows. */
  readonly row: string;
  profile: Profile | undefined;
}

/** Addresses with equal facts in the same place. */
export interface Profile {
  /** Equal for equal facts. */
  readonly factsKey: string;
  readonly facts: Facts;
  readonly place: Place;
  readonly holders: CompactSet<Holder>;
  identity: SharedIdentity | undefined;
}

/** What decides about a profile's identity. */
export interface Traits {
  readonly family: Family;
  /** Numbers of the atoms whose answer is yes. */
  readonly yes: ReadonlySet<number>;
  readonly namedPorts: readonly NamedPort[];
  /** Of the named ports. */
  readonly portsText: string;
  /** Equal texts, equal identities. */
  readonly key: string;
}

/** The key of traits. @param yesText of their numbers */
export function keyOfTraits(family: Family, portsText: string, yesText: string): string {
  return `${family} ${portsText} ${yesText}`;
}

/** An identity and the profiles that have it. */
export class SharedIdentity implements Identity {
  readonly number: number;
  readonly profiles = new Set<Profile>();
  readonly #numberOf: (atom: Atom) => number | undefined;
  #traits: Traits;

  constructor(number: number, traits: Traits, numberOf: (atom: Atom) => number | undefined) {
    this.number = number;
    this.#traits = traits;
    this.#numberOf = numberOf;
  }

  get traits(): Traits {
    return this.#traits;
  }

  get family(): Family {
    return this.#traits.family;
  }

  get namedPorts(): readonly NamedPort[] {
    return this.#traits.namedPorts;
  }

  get satisfied(): ReadonlySet<number> {
    return this.#traits.yes;
  }

  get key(): string {
    return this.#traits.key;
  }

  readonly has = (atom: Atom): boolean => {
    const number = this.#numberOf(atom);
    return number !== undefined && this.#traits.yes.has(number);
  };

  /** Its answers are these from now on. */
  become(traits: Traits): void {
    this.#traits = traits;
  }
}

/** A profile that has other traits than its identity, or no identity yet. */
export interface Move {
  readonly profile: Profile;
  readonly traits: Traits;
}

/** What came and what went. */
export interface IdentityNews {
  readonly added: ReadonlySet<Identity>;
  readonly removed: ReadonlySet<Identity>;
}

/** Comings and goings that are remembered: of more, all identities are compared anew. */
const REMEMBERED = 8192;

/** Identities by their key. */
export class IdentityTable {
  /** Who came or went, one for each revision, the latest last. */
  #journal: { readonly identity: SharedIdentity; readonly isNew: boolean }[] = [];
  readonly #byKey = new Map<string, SharedIdentity>();
  /** Those that lost a profile: they may have none. */
  readonly #left = new Set<SharedIdentity>();
  readonly #make: (traits: Traits) => SharedIdentity;
  readonly #onMove: (profile: Profile) => void;
  /** Another number whenever identities have come or gone. */
  revision = 0;

  /** @param onMove a profile has another identity than before */
  constructor(make: (traits: Traits) => SharedIdentity, onMove: (profile: Profile) => void) {
    this.#make = make;
    this.#onMove = onMove;
  }

  values(): Iterable<SharedIdentity> {
    return this.#byKey.values();
  }

  /** What is different since that revision; undefined: that is too long ago to be known. */
  newsSince(revision: number): IdentityNews | undefined {
    const first = this.#journal.length - (this.revision - revision);
    if (first < 0) return undefined;
    const [added, removed] = [new Set<Identity>(), new Set<Identity>()];
    for (const { identity, isNew } of this.#journal.slice(first)) {
      if (isNew) added.add(identity);
      else if (!added.delete(identity)) removed.add(identity);
    }
    return { added, removed };
  }

  #note(identity: SharedIdentity, isNew: boolean): void {
    this.revision++;
    this.#journal.push({ identity, isNew });
    if (this.#journal.length > 2 * REMEMBERED) this.#journal = this.#journal.slice(-REMEMBERED);
  }

  /** Whether an identity may have lost its last profile since the last move. */
  get hasLeavers(): boolean {
    return this.#left.size > 0;
  }

  /** The profile ends. */
  leave(profile: Profile): void {
    const { identity } = profile;
    if (identity === undefined) return;
    identity.profiles.delete(profile);
    this.#left.add(identity);
  }

  /**
   * Gives profiles the identities of their traits.
   * @param isRenaming all that is different are atoms that came or went: an identity whose profiles all go the same way
   * goes with them, and no address has to be told
   */
  move(moves: readonly Move[], isRenaming: boolean): void {
    const renamed = isRenaming ? this.#rename(moves) : new Set<SharedIdentity>();
    for (const { profile, traits } of moves) {
      const { identity } = profile;
      if (identity !== undefined && renamed.has(identity) && identity.key === traits.key) continue;
      this.leave(profile);
      let next = this.#byKey.get(traits.key);
      if (next === undefined) {
        next = this.#make(traits);
        this.#byKey.set(traits.key, next);
        this.#note(next, true);
      }
      next.profiles.add(profile);
      profile.identity = next;
      this.#onMove(profile);
    }
    for (const identity of this.#left) {
      if (identity.profiles.size > 0) continue;
      this.#note(identity, false);
      if (this.#byKey.get(identity.key) === identity) this.#byKey.delete(identity.key);
    }
    this.#left.clear();
  }

  /** Renames the identities that all their profiles would leave. */
  #rename(moves: readonly Move[]): Set<SharedIdentity> {
    const byIdentity = Map.groupBy(moves, (m) => m.profile.identity);
    const vacated: [SharedIdentity, Traits][] = [];
    for (const [identity, movers] of byIdentity)
      if (identity !== undefined && movers.length === identity.profiles.size) {
        this.#byKey.delete(identity.key);
        vacated.push([identity, mostHeld(movers)]);
      }
    const renamed = new Set<SharedIdentity>();
    for (const [identity, traits] of vacated) {
      if (this.#byKey.has(traits.key)) continue;
      identity.become(traits);
      this.#byKey.set(traits.key, identity);
      renamed.add(identity);
    }
    return renamed;
  }
}

/** The traits that most addresses have: for these nothing has to be written. */
function mostHeld(moves: readonly Move[]): Traits {
  const counts = new Map<string, number>();
  let best = (moves[0] as Move).traits;
  for (const { profile, traits } of moves) {
    const count = (counts.get(traits.key) ?? 0) + profile.holders.size;
    counts.set(traits.key, count);
    if (count > (counts.get(best.key) ?? 0)) best = traits;
  }
  return best;
}
