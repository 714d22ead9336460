/**
 * The partition of all addresses into identities. A new atom splits some identities, a pod's change moves one address.
 *
 * Addresses with equal facts in the same place among the prefixes share a profile, and atoms are asked of profiles. An
 * atom that comes or goes is asked of the profiles that can satisfy it. An identity keeps its number for as long as any of
 * its addresses do not part from the others.
 */

import { type Addr, familyBits } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";
import { createAddressBlocks } from "./address-blocks.ts";
import { AtomsInUse, type UseChange } from "./atoms-in-use.ts";
import type { Identity, IdentityChanges, IdentityRow, Overlay } from "./identity.ts";
import { IdentityRows, identityIn, type KnownHolder, type PlaceHolder, WHOLE_FAMILIES } from "./identity-rows.ts";
import { type Place, type PlaceChange, Places } from "./places.ts";
import { factsText, ProfileTable, sharedText } from "./profile-table.ts";
import { type Holder, type IdentityNews, IdentityTable, type Move, type Profile, SharedIdentity } from "./profiles.ts";
import type { AddressFacts, Atom, Entity, Facts } from "./rule.ts";
import { TraitChanges } from "./trait-changes.ts";

/** The partition of all addresses. Whoever reads after a change sees all of it. */
export interface Partition {
  /** All atoms and port names in use: others are forgotten. */
  use(atoms: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): void;
  /** These atoms and names beside those in use. */
  useAlso(atoms: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): void;
  /** An atom's number, the same for as long as it is in use; undefined: it is not. */
  numberOf(atom: Atom): number | undefined;
  /** Overlays, all of them. Several may have the same prefix. */
  overlay(overlays: readonly Overlay[]): void;
  set(facts: AddressFacts): void;
  delete(addr: Addr): void;
  identities(): Iterable<Identity>;
  /** Those for which the answer to an atom in use is yes, each at least once. */
  satisfying(atom: Atom): Iterable<Identity>;
  /** Another number whenever identities have come or gone. */
  revision(): number;
  /** What came and went since that revision; undefined: that is too long ago to be known. */
  newsSince(revision: number): IdentityNews | undefined;
  /** Of each known address, each prefix in use, `0.0.0.0/0` and `::/0`. */
  rows(): Generator<IdentityRow>;
  /** The row of exactly the prefix that begins with the address; undefined: there is none. @param length any number */
  rowOf(addr: Addr, length: number): IdentityRow | undefined;
  /** How many of them there are. */
  rowCount(): number;
  /** And how many whatever atoms are in use. An address that is a prefix of an overlay, too, counts twice. */
  knownRows(): number;
  /** From now on only the rows of `0.0.0.0/0` and `::/0`, which say it all as long as no atom and no name is in use; or all again. */
  coarsen(isCoarse: boolean): void;
  /** What is different in the rows since this was asked last; at first all of them. */
  changes(): IdentityChanges;
  /** As the kernel would find it. */
  identityOf(addr: Addr): Identity;
}

/** Lower numbers are what data plane and people know by heart. */
export const FIRST_IDENTITY = 256;

const WORLD: ReadonlySet<Entity> = new Set<Entity>(["world"]);
/** What is known of what is not known. */
const UNKNOWN: Facts = { entities: WORLD, labels: new Map(), services: new Set(), namedPorts: [] };

/** A change of more atoms than this concerns all profiles. */
const MANY_ATOMS = 200;

/** A known address: there are tens of thousands. */
class Known implements KnownHolder {
  readonly addr: Addr;
  profile: Profile | undefined;
  told: number;

  constructor(addr: Addr) {
    this.addr = addr;
    this.profile = undefined;
    this.told = 0;
  }

  get row(): string {
    return this.addr.text;
  }
}

/** A place that holds one address only has that one's row. */
function rowOf(p: Prefix): string {
  return p.length === familyBits(p.family) ? p.addr.text : p.text;
}

class AddressPartition implements Partition {
  readonly #atoms = new AtomsInUse();
  readonly #known = new Map<string, Known>();
  readonly #blocks = createAddressBlocks<Known>();
  readonly #places = new Places();
  readonly #placeHolders = new Map<string, PlaceHolder>();
  readonly #profiles = new ProfileTable(this.#places, (domain, labels) => this.#atoms.answers.forget(domain, labels));
  readonly #identities: IdentityTable;
  /** Profiles whose identity may be another, or that have none yet. */
  readonly #doubted = new Set<Profile>();
  readonly #rows = new IdentityRows(this.#known, this.#placeHolders);
  #overlays: ReadonlyMap<string, readonly Overlay[]> = new Map();
  #nextIdentity = FIRST_IDENTITY;

  constructor() {
    const numberOf = (atom: Atom) => this.numberOf(atom);
    this.#identities = new IdentityTable(
      (traits) => new SharedIdentity(this.#nextIdentity++, traits, numberOf),
      (profile) => {
        for (const { row } of profile.holders) this.#rows.touch(row);
      },
    );
    for (const place of this.#places) this.#holdPlace(place);
  }

  use(atoms: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): void {
    this.#settle(false);
    this.#follow(this.#atoms.use(atoms, portNames));
  }

  useAlso(atoms: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): void {
    this.#settle(false);
    this.#follow(this.#atoms.useAlso(atoms, portNames));
  }

  #follow({ atoms, portNames }: UseChange): void {
    // Finding the bearers of so many atoms costs more than asking everybody.
    const isAll = atoms.length > MANY_ATOMS;
    if (isAll) this.#doubt(this.#profiles);
    for (const { atom, by } of atoms) {
      if (atom.kind === "cidr") this.#replace(this.#places.count(atom.prefix, by));
      if (!isAll) this.#doubt(this.#profiles.bearersOf(atom));
    }
    for (const name of portNames) this.#doubt(this.#profiles.ofPortName(name));
    const isAtomsOnly = !isAll && portNames.size === 0;
    this.#settle(true, isAtomsOnly ? new TraitChanges(atoms, this.#atoms.answers) : undefined);
  }

  numberOf(atom: Atom): number | undefined {
    return this.#atoms.numberOf(atom);
  }

  overlay(overlays: readonly Overlay[]): void {
    this.#settle(false);
    const before = this.#overlays;
    const now = Map.groupBy(overlays, (o) => o.prefix.text);
    this.#overlays = now;
    const changed = new Map<string, Prefix>();
    for (const [text, list] of [...before, ...now]) {
      const [old, next] = [before.get(text) ?? [], now.get(text) ?? []];
      const isSame = old.length === next.length && old.every((o, i) => o === next[i]);
      if (!isSame) changed.set(text, (list[0] as Overlay).prefix);
    }
    for (const [text, p] of changed) this.#replace(this.#places.overlay(p, now.get(text) ?? []));
    for (const place of new Set([...changed.values()].flatMap((p) => [...this.#places.within(p)])))
      this.#doubt(this.#profiles.overlaid(place));
    this.#settle(false);
  }

  set(facts: AddressFacts): void {
    const { addr } = facts;
    let known = this.#known.get(addr.text);
    if (known === undefined) {
      known = new Known(addr);
      this.#rows.begin(known);
      this.#known.set(addr.text, known);
      this.#blocks.add(known);
    }
    const { shared } = facts;
    const key = shared === undefined ? factsText(facts) : sharedText(shared);
    this.#hold(known, this.#profileOf(key, shared ?? facts, this.#places.at(addr)));
  }

  delete(addr: Addr): void {
    const known = this.#known.get(addr.text);
    if (known === undefined) return;
    this.#known.delete(addr.text);
    this.#rows.end(known);
    this.#blocks.delete(known);
    this.#release(known);
  }

  identities(): Iterable<Identity> {
    this.#settle(false);
    return this.#identities.values();
  }

  *satisfying(atom: Atom): Generator<Identity> {
    this.#settle(false);
    const number = this.numberOf(atom);
    if (number === undefined) return;
    for (const { identity } of this.#profiles.bearersOf(atom))
      if (identity?.satisfied.has(number) === true) yield identity;
  }

  revision(): number {
    this.#settle(false);
    return this.#identities.revision;
  }

  newsSince(revision: number): IdentityNews | undefined {
    this.#settle(false);
    return this.#identities.newsSince(revision);
  }

  rows(): Generator<IdentityRow> {
    this.#settle(false);
    return this.#rows.all();
  }

  rowOf(addr: Addr, length: number): IdentityRow | undefined {
    this.#settle(false);
    return this.#rows.find(length === familyBits(addr.family) ? addr.text : `${addr.text}/${length}`);
  }

  rowCount(): number {
    return this.#rows.count();
  }

  knownRows(): number {
    return this.#known.size + this.#overlays.size + WHOLE_FAMILIES.size;
  }

  coarsen(isCoarse: boolean): void {
    this.#rows.coarsen(isCoarse);
  }

  changes(): IdentityChanges {
    this.#settle(false);
    return this.#rows.changes();
  }

  identityOf(addr: Addr): Identity {
    this.#settle(false);
    const holder = this.#known.get(addr.text) ?? this.#placeHolders.get(rowOf(this.#places.at(addr).prefix));
    return identityIn(holder?.profile);
  }

  #doubt(profiles: Iterable<Profile>): void {
    for (const profile of profiles) this.#doubted.add(profile);
  }

  /** Addresses go to the place that is new, or from the one that is gone to the one around it. */
  #replace({ added, removed }: PlaceChange): void {
    const place = added ?? removed;
    if (place === undefined) return;
    const around = this.#places.at(place.prefix.addr, place.prefix.length - 1);
    const [from, to] = added === undefined ? [place, around] : [around, place];
    if (added !== undefined) this.#holdPlace(added);
    for (const known of this.#blocks.within(place.prefix)) {
      const { profile } = known;
      if (profile?.place !== from) continue;
      const next = this.#profileOf(profile.factsKey, profile.facts, to);
      this.#inherit(next, profile);
      this.#hold(known, next);
    }
    if (removed === undefined) return;
    const row = rowOf(removed.prefix);
    const holder = this.#placeHolders.get(row);
    this.#placeHolders.delete(row);
    if (holder !== undefined) this.#release(holder);
  }

  /** A profile that is new in its place has for now the identity of the one that it was: it may stay so. */
  #inherit(profile: Profile, earlier: Profile): void {
    if (profile.identity !== undefined || earlier.identity === undefined) return;
    profile.identity = earlier.identity;
    profile.identity.profiles.add(profile);
  }

  #holdPlace(place: Place): void {
    const row = rowOf(place.prefix);
    const holder: PlaceHolder = { row, prefix: place.prefix, profile: undefined };
    this.#placeHolders.set(row, holder);
    this.#hold(holder, this.#profileOf(sharedText(UNKNOWN), UNKNOWN, place));
  }

  #hold(holder: Holder, profile: Profile): void {
    if (holder.profile === profile) return;
    profile.holders.add(holder);
    if (holder.profile !== undefined) this.#release(holder);
    holder.profile = profile;
    this.#rows.touch(holder.row);
  }

  #release(holder: Holder): void {
    const { profile } = holder;
    this.#rows.touch(holder.row);
    holder.profile = undefined;
    profile?.holders.delete(holder);
    if (profile === undefined || profile.holders.size > 0) return;
    this.#doubted.delete(profile);
    this.#profiles.end(profile);
    this.#identities.leave(profile);
  }

  /** A profile without an identity gets one when the doubts are settled. */
  #profileOf(factsKey: string, facts: Facts, place: Place): Profile {
    const profile = this.#profiles.of(factsKey, facts, place);
    if (profile.identity === undefined) this.#doubted.add(profile);
    return profile;
  }

  /**
   * Gives the profiles in doubt their identities.
   * @param changes all that is different for profiles that have one; undefined: anything may be
   */
  #settle(isRenaming: boolean, changes?: TraitChanges): void {
    if (this.#doubted.size === 0 && !this.#identities.hasLeavers) return;
    const moves: Move[] = [];
    for (const profile of this.#doubted) {
      const { identity } = profile;
      const isKnown = changes !== undefined && identity !== undefined;
      const traits = isKnown
        ? changes.traitsOf(profile, identity)
        : this.#atoms.traitsOf(profile, this.#places.around(profile.place));
      if (traits.key !== identity?.key) moves.push({ profile, traits });
    }
    this.#doubted.clear();
    this.#identities.move(moves, isRenaming);
  }
}

/** A partition that knows no address and no atom: everything is IPv4 or IPv6. */
export function createPartition(): Partition {
  return new AddressPartition();
}
