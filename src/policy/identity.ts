/**
 * Identities: addresses that no atom in use can tell apart have the same number. It is local to a node and needs no one's
 * agreement. A new atom splits some identities, a pod's change moves one address.
 *
 * Addresses with equal facts in the same place among the prefixes share a profile, and atoms are asked of profiles.
 */

import type { Addr, Family } from "../net/addr.ts";
import { hostPrefix, type Prefix, prefix } from "../net/prefix.ts";
import { createLabelAnswers } from "./label-answers.ts";
import { type LabelMap, matchesLabels } from "./label-expr.ts";
import { createNumbers } from "./numbers.ts";
import { keyOfAtom } from "./peer.ts";
import { createPrefixIndex } from "./prefix-index.ts";
import type { AddressFacts, Atom, Entity, LabelDomain, NamedPort } from "./rule.ts";

/** What is known of every address in a prefix, beside its own facts: network sets, API servers, external backends. */
export interface Overlay {
  readonly prefix: Prefix;
  readonly entities: ReadonlySet<Entity>;
  readonly labels: ReadonlyMap<LabelDomain, readonly LabelMap[]>;
  /** `namespace/name`. */
  readonly services: ReadonlySet<string>;
}

/** A class of addresses. */
export interface Identity {
  readonly number: number;
  readonly family: Family;
  /** Whether the answer to an atom in use is yes. */
  has(atom: Atom): boolean;
  /** Those whose names are in use. */
  readonly namedPorts: readonly NamedPort[];
}

/** One entry of the ipcache: the longest prefix that holds an address says its identity. */
export interface IdentityRow {
  readonly prefix: Prefix;
  readonly identity: number;
}

/** The partition of all addresses. Whoever reads after a change sees all of it. */
export interface Partition {
  /** All atoms and port names in use: others are forgotten. */
  use(atoms: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): void;
  /** Overlays, all of them. Several may have the same prefix. */
  overlay(overlays: readonly Overlay[]): void;
  set(facts: AddressFacts): void;
  delete(addr: Addr): void;
  identities(): Iterable<Identity>;
  /** Of each known address, each prefix in use, `0.0.0.0/0` and `::/0`. */
  rows(): Generator<IdentityRow>;
  /** As the kernel would find it. */
  identityOf(addr: Addr): Identity;
}

/** Lower numbers are what data plane and people know by heart. */
export const FIRST_IDENTITY = 256;

const EVERYWHERE = [prefix("0.0.0.0/0"), prefix("::/0")];
const NO_SERVICES: ReadonlySet<string> = new Set();
const NO_LABELS: ReadonlyMap<LabelDomain, readonly LabelMap[]> = new Map();
const WORLD: ReadonlySet<Entity> = new Set<Entity>(["world"]);

/** A prefix that something in use names, with the overlays that hold all of it. */
interface Place {
  readonly prefix: Prefix;
  readonly overlays: readonly Overlay[];
}

type Facts = Pick<AddressFacts, "entities" | "labels" | "services" | "namedPorts">;

interface Profile {
  readonly key: string;
  readonly facts: Facts;
  readonly place: Place;
  identity: Identity | undefined;
  users: number;
}

/** Where an address stands until the prefixes are sorted. */
const NOWHERE: Place = { prefix: prefix("0.0.0.0/0"), overlays: [] };

const portText = (p: NamedPort) => `${p.name}:${p.protocol}:${p.port}`;

/** Texts for label maps: the same object has the same. */
function createTags(): (value: LabelMap) => string {
  const tags = new WeakMap<LabelMap, string>();
  let next = 0;
  return (value) => {
    const tag = tags.get(value) ?? String(next++);
    tags.set(value, tag);
    return tag;
  };
}

class AddressPartition implements Partition {
  readonly #atoms = new Map<string, { readonly number: number; readonly atom: Atom }>();
  readonly #atomNumbers = createNumbers(1);
  readonly #identityNumbers = createNumbers(FIRST_IDENTITY);
  readonly #answers = createLabelAnswers();
  readonly #tag = createTags();
  readonly #known = new Map<string, { readonly facts: AddressFacts; readonly profile: Profile }>();
  readonly #profiles = new Map<string, Profile>();
  readonly #identities = new Map<string, Identity>();
  /** Profiles by the maps of labels that they bear: themselves, or by an overlay. */
  readonly #bearers = new Map<LabelMap, Set<Profile>>();
  #names: ReadonlySet<string> = new Set();
  #overlays: readonly Overlay[] = [];
  #places = createPrefixIndex<Profile>();
  /** Which prefixes there are has changed. */
  #isStale = true;

  use(wanted: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): void {
    const changed: Atom[] = [];
    for (const [key, { number, atom }] of this.#atoms) {
      if (wanted.has(key)) continue;
      this.#atoms.delete(key);
      changed.push(atom);
      if (atom.kind === "labels") this.#answers.remove(number, atom.domain);
    }
    this.#atomNumbers.keep(new Set(this.#atoms.keys()));
    for (const [key, atom] of wanted) {
      if (this.#atoms.has(key)) continue;
      const number = this.#atomNumbers.numberOf(key);
      this.#atoms.set(key, { number, atom });
      changed.push(atom);
      if (atom.kind === "labels") this.#answers.add(number, atom);
    }
    if (changed.some((atom) => atom.kind === "cidr")) this.#isStale = true;
    const isRenamed = portNames.size !== this.#names.size || [...portNames].some((n) => !this.#names.has(n));
    this.#names = portNames;
    if (isRenamed || changed.some((atom) => atom.kind !== "labels")) this.#doubtAll();
    else this.#doubt(changed.filter((atom) => atom.kind === "labels"));
  }

  #doubtAll(): void {
    for (const profile of this.#profiles.values()) profile.identity = undefined;
  }

  /** Only what satisfies an atom that came or went can have another identity. */
  #doubt(atoms: readonly (Atom & { readonly kind: "labels" })[]): void {
    for (const [labels, profiles] of atoms.length === 0 ? [] : this.#bearers)
      if (atoms.some((atom) => matchesLabels(atom.expr, labels)))
        for (const profile of profiles) profile.identity = undefined;
  }

  overlay(overlays: readonly Overlay[]): void {
    this.#overlays = overlays;
    this.#isStale = true;
  }

  set(facts: AddressFacts): void {
    this.delete(facts.addr);
    const place = this.#isStale ? NOWHERE : this.#placeOf(facts.addr).place;
    this.#known.set(facts.addr.text, { facts, profile: this.#join(facts, place) });
  }

  delete(addr: Addr): void {
    const old = this.#known.get(addr.text);
    if (old === undefined) return;
    this.#known.delete(addr.text);
    if (--old.profile.users > 0) return;
    this.#profiles.delete(old.profile.key);
    this.#bear(old.profile, false);
  }

  #bear(profile: Profile, isBearer: boolean): void {
    for (const { labels } of [profile.facts, ...profile.place.overlays])
      for (const map of [...labels.values()].flat()) {
        const profiles = this.#bearers.get(map) ?? new Set();
        if (isBearer) profiles.add(profile);
        else profiles.delete(profile);
        if (profiles.size > 0) this.#bearers.set(map, profiles);
        else this.#bearers.delete(map);
      }
  }

  identities(): Iterable<Identity> {
    this.#refresh();
    const used = new Set<Identity>();
    for (const profile of this.#profiles.values()) used.add(this.#identify(profile));
    for (const [key, identity] of this.#identities) if (!used.has(identity)) this.#identities.delete(key);
    this.#identityNumbers.keep(new Set(this.#identities.keys()));
    return used;
  }

  *rows(): Generator<IdentityRow> {
    this.#refresh();
    for (const [p, profile] of this.#places.entries()) yield { prefix: p, identity: this.#identify(profile).number };
    for (const { facts, profile } of this.#known.values())
      yield { prefix: hostPrefix(facts.addr), identity: this.#identify(profile).number };
  }

  identityOf(addr: Addr): Identity {
    this.#refresh();
    return this.#identify(this.#known.get(addr.text)?.profile ?? this.#placeOf(addr));
  }

  /** The profile of what is not known at the address. */
  #placeOf(addr: Addr): Profile {
    for (const [, profile] of this.#places.covering(addr)) return profile;
    throw new RangeError(`No prefix holds "${addr.text}"`);
  }

  #join(facts: Facts, place: Place): Profile {
    const labels = [...facts.labels].map(([domain, maps]) => `${domain} ${maps.map(this.#tag).join("+")}`);
    const services = [...facts.services].sort().join(" ");
    const ports = facts.namedPorts.map(portText).join(" ");
    const key = [place.prefix.text, [...facts.entities].join("+"), labels.join(","), services, ports].join("|");
    const known = this.#profiles.get(key);
    if (known !== undefined) {
      known.users++;
      return known;
    }
    const profile: Profile = { key, facts, place, identity: undefined, users: 1 };
    this.#profiles.set(key, profile);
    this.#bear(profile, true);
    return profile;
  }

  #refresh(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const next = createPrefixIndex<Overlay[]>();
    for (const p of EVERYWHERE) next.set(p, []);
    for (const { atom } of this.#atoms.values()) if (atom.kind === "cidr") next.set(atom.prefix, []);
    for (const o of this.#overlays) next.set(o.prefix, [...(next.get(o.prefix) ?? []), o]);
    this.#places = createPrefixIndex();
    this.#profiles.clear();
    this.#bearers.clear();
    for (const [p] of next.entries()) {
      const overlays = [...next.covering(p.addr, p.length)].flatMap(([, list]) => list);
      const facts = { entities: WORLD, labels: NO_LABELS, services: NO_SERVICES, namedPorts: [] };
      this.#places.set(p, this.#join(facts, { prefix: p, overlays }));
    }
    for (const [text, { facts }] of this.#known)
      this.#known.set(text, { facts, profile: this.#join(facts, this.#placeOf(facts.addr).place) });
  }

  #identify(profile: Profile): Identity {
    if (profile.identity !== undefined) return profile.identity;
    const { family } = profile.place.prefix;
    const yes = this.#satisfied(profile);
    const namedPorts = profile.facts.namedPorts
      .filter((p) => this.#names.has(p.name))
      .sort((a, b) => (portText(a) < portText(b) ? -1 : 1));
    const key = `${family} ${[...yes].sort((a, b) => a - b).join(" ")} ${namedPorts.map(portText).join(" ")}`;
    let identity = this.#identities.get(key);
    if (identity === undefined) {
      const has = (atom: Atom) => yes.has(this.#atoms.get(keyOfAtom(atom))?.number ?? 0);
      identity = { number: this.#identityNumbers.numberOf(key), family, has, namedPorts };
      this.#identities.set(key, identity);
    }
    profile.identity = identity;
    return identity;
  }

  /** Numbers of the atoms whose answer is yes. Numbers begin at 1. */
  #satisfied({ facts, place }: Profile): Set<number> {
    const out = new Set<number>();
    const add = (atom: Atom) => {
      const number = this.#atoms.get(keyOfAtom(atom))?.number;
      if (number !== undefined) out.add(number);
    };
    for (const of of [facts, ...place.overlays]) {
      for (const [domain, maps] of of.labels)
        for (const map of maps) for (const n of this.#answers.satisfied(domain, map)) out.add(n);
      for (const text of of.services) {
        const slash = text.indexOf("/");
        add({ kind: "service", namespace: text.slice(0, slash), name: text.slice(slash + 1) });
      }
      for (const entity of of.entities) add({ kind: "entity", entity });
    }
    for (const p of facts.namedPorts) add({ kind: "named-port", ...p });
    for (const [p] of this.#places.covering(place.prefix.addr, place.prefix.length)) {
      add({ kind: "cidr", prefix: p, scope: "any" });
      if (facts.entities.has("world")) add({ kind: "cidr", prefix: p, scope: "outside" });
    }
    return out;
  }
}

/** A partition that knows no address and no atom: everything is IPv4 or IPv6. */
export function createPartition(): Partition {
  return new AddressPartition();
}
