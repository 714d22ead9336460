/**
 * Which peers mean which identities, kept from one change to the next. A peer that is new is asked of the identities that satisfy an
 * atom which it rests on; an identity that is new is asked about the peers that it can be meant by: those that name an atom which it satisfies.
 */

import { assertNever } from "../base/assert-never.ts";
import type { Identity } from "./identity.ts";
import { anchorsOf, peerText } from "./peer.ts";
import type { IdentityNews } from "./profiles.ts";
import type { Atom, PeerExpr } from "./rule.ts";

/** The number of an atom in use, as `Identity.satisfied` has it. */
export type AtomNumbers = (atom: Atom) => number | undefined;

/** Identities that satisfy an atom in use, each at least once. */
export type IdentitiesOf = (atom: Atom) => Iterable<Identity>;

/** Whether a peer means an identity that satisfies those atoms. */
type Test = (satisfied: ReadonlySet<number>) => boolean;

interface Peer<User> {
  readonly text: string;
  readonly test: Test;
  /** It can mean an identity only that satisfies one of these atoms; undefined: any. */
  readonly anchors: readonly number[] | undefined;
  readonly identities: Set<Identity>;
  /** Who asks, and the places at which. */
  readonly users: Map<User, number[]>;
}

/** As many new peers are asked of identities; with more, identities are asked about them. */
const FEW = 16;
/** Looking for who satisfies atoms is worth it for one in so many identities: of more, all are asked. */
const SHARE = 4;

function testOf(expr: PeerExpr, numbers: AtomNumbers): Test {
  switch (expr.kind) {
    case "any":
      return () => true;
    case "none":
      return () => false;
    case "is": {
      const number = numbers(expr.atom);
      return number === undefined ? () => false : (satisfied) => satisfied.has(number);
    }
    case "not": {
      const of = testOf(expr.of, numbers);
      return (satisfied) => !of(satisfied);
    }
    case "and": {
      const of = expr.of.map((e) => testOf(e, numbers));
      return (satisfied) => {
        for (const test of of) if (!test(satisfied)) return false;
        return true;
      };
    }
    case "or": {
      const of = expr.of.map((e) => testOf(e, numbers));
      return (satisfied) => {
        for (const test of of) if (test(satisfied)) return true;
        return false;
      };
    }
    default:
      return assertNever(expr);
  }
}

/** See the file's comment. */
export class PeerIndex<User> {
  readonly #peers = new Map<string, Peer<User>>();
  readonly #byAtom = new Map<number, Set<Peer<User>>>();
  readonly #unanchored = new Set<Peer<User>>();
  /** Those that no identity has been asked about, with the atoms of which one holds for whoever they mean. */
  readonly #fresh = new Map<Peer<User>, readonly Atom[] | undefined>();
  readonly #known = new Map<Identity, Set<Peer<User>>>();

  /** Somebody asks at a place for a peer. Its atoms are in use. */
  add(expr: PeerExpr, user: User, place: number, numbers: AtomNumbers): void {
    const text = peerText(expr);
    let peer = this.#peers.get(text);
    if (peer === undefined) {
      const atoms = anchorsOf(expr);
      const anchors = atoms?.flatMap((a) => numbers(a) ?? []);
      peer = { text, test: testOf(expr, numbers), anchors, identities: new Set(), users: new Map() };
      this.#peers.set(text, peer);
      this.#fresh.set(peer, atoms);
      this.#anchor(peer);
    }
    const places = peer.users.get(user) ?? [];
    places.push(place);
    peer.users.set(user, places);
  }

  /** The user asks no more, at none of its places. */
  remove(expr: PeerExpr, user: User): void {
    const peer = this.#peers.get(peerText(expr));
    peer?.users.delete(user);
    if (peer === undefined || peer.users.size > 0) return;
    this.#peers.delete(peer.text);
    this.#fresh.delete(peer);
    this.#unanchored.delete(peer);
    for (const atom of peer.anchors ?? []) {
      const peers = this.#byAtom.get(atom);
      peers?.delete(peer);
      if (peers?.size === 0) this.#byAtom.delete(atom);
    }
    for (const identity of peer.identities) this.#known.get(identity)?.delete(peer);
  }

  /**
   * Follows identities, and asks peers that are new.
   * @param identitiesOf as they are now, those that have come included
   * @returns users with those of their peers' identities that are gone
   */
  update({ added, removed }: IdentityNews, identitiesOf: IdentitiesOf): Map<User, Set<Identity>> {
    const losses = new Map<User, Set<Identity>>();
    for (const identity of removed) {
      for (const { users } of this.#known.get(identity) ?? [])
        for (const user of users.keys()) losses.set(user, (losses.get(user) ?? new Set()).add(identity));
      this.#forget(identity);
    }
    this.#askFresh(identitiesOf);
    for (const identity of added) {
      this.#known.set(identity, new Set());
      for (const peer of this.#candidates(identity)) this.#ask(peer, identity);
    }
    return losses;
  }

  /** Places of each user whose peers mean the identity, in no order. */
  usersOf(identity: Identity): Map<User, number[]> {
    const out = new Map<User, number[]>();
    for (const { users } of this.#known.get(identity) ?? [])
      for (const [user, places] of users) {
        const own = out.get(user);
        if (own === undefined) out.set(user, [...places]);
        else own.push(...places);
      }
    return out;
  }

  /** Identities that the peer means. */
  identitiesOf(expr: PeerExpr): Iterable<Identity> {
    return this.#peers.get(peerText(expr))?.identities ?? [];
  }

  #anchor(peer: Peer<User>): void {
    if (peer.anchors === undefined) this.#unanchored.add(peer);
    for (const atom of peer.anchors ?? []) this.#byAtom.set(atom, (this.#byAtom.get(atom) ?? new Set()).add(peer));
  }

  #forget(identity: Identity): void {
    for (const peer of this.#known.get(identity) ?? []) peer.identities.delete(identity);
    this.#known.delete(identity);
  }

  #ask(peer: Peer<User>, identity: Identity): void {
    if (!peer.test(identity.satisfied)) return;
    peer.identities.add(identity);
    this.#known.get(identity)?.add(peer);
  }

  #askFresh(identitiesOf: IdentitiesOf): void {
    if (this.#fresh.size <= FEW)
      for (const [peer, atoms] of this.#fresh)
        for (const identity of this.#satisfying(atoms, identitiesOf) ?? this.#known.keys()) this.#ask(peer, identity);
    else
      for (const identity of this.#known.keys())
        for (const peer of this.#candidates(identity)) if (this.#fresh.has(peer)) this.#ask(peer, identity);
    this.#fresh.clear();
  }

  /** Those that are known and satisfy one of the atoms; undefined: these would be too many to be looked for. */
  #satisfying(atoms: readonly Atom[] | undefined, identitiesOf: IdentitiesOf): Set<Identity> | undefined {
    if (atoms === undefined) return undefined;
    const most = this.#known.size / SHARE;
    const found = new Set<Identity>();
    let looked = 0;
    for (const atom of atoms)
      for (const identity of identitiesOf(atom)) {
        if (++looked > most) return undefined;
        // One that has just come is asked about all peers.
        if (this.#known.has(identity)) found.add(identity);
      }
    return found;
  }

  *#candidates(identity: Identity): Generator<Peer<User>> {
    yield* this.#unanchored;
    for (const number of identity.satisfied) yield* this.#byAtom.get(number) ?? [];
  }
}
