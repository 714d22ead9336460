/** The prefixes that something in use names. An address stands in the longest one that holds it. */

import type { Addr } from "../net/addr.ts";
import { type Prefix, prefix } from "../net/prefix.ts";
import type { Overlay } from "./identity.ts";
import { createPrefixIndex, type PrefixIndex } from "./prefix-index.ts";

/** A prefix that is in use. */
export interface Place {
  readonly prefix: Prefix;
  /** Those that hold all of it, its own among them. */
  overlays: readonly Overlay[];
}

interface Entry {
  readonly place: Place;
  own: readonly Overlay[];
  /** How many atoms name the prefix. */
  atoms: number;
}

/** What became of the places: all of them are to be looked at again. */
export interface PlaceChange {
  readonly added: Place | undefined;
  readonly removed: Place | undefined;
}

const EVERYWHERE = [prefix("0.0.0.0/0"), prefix("::/0")];

/** Places in use. `0.0.0.0/0` and `::/0` always are. */
export class Places {
  readonly #index: PrefixIndex<Entry> = createPrefixIndex();

  constructor() {
    for (const p of EVERYWHERE) this.#index.set(p, { place: { prefix: p, overlays: [] }, own: [], atoms: 0 });
  }

  /** One atom more, or less, names the prefix. */
  count(p: Prefix, by: 1 | -1): PlaceChange {
    const entry = this.#index.get(p);
    if (entry === undefined) return by === 1 ? this.#add(p, [], 1) : { added: undefined, removed: undefined };
    entry.atoms += by;
    return this.#removeUnused(entry);
  }

  /** The prefix has these overlays of its own from now on. Whoever stands below it sees others: {@link within}. */
  overlay(p: Prefix, own: readonly Overlay[]): PlaceChange {
    const entry = this.#index.get(p);
    if (entry === undefined) return this.#add(p, own, 0);
    entry.own = own;
    return this.#removeUnused(entry);
  }

  /** The place of an address. */
  at(addr: Addr, length?: number): Place {
    for (const [, entry] of this.#index.covering(addr, length)) return entry.place;
    throw new RangeError(`No prefix holds "${addr.text}"`);
  }

  /** Prefixes that hold all of the place. */
  *around(place: Place): Generator<Prefix> {
    for (const [p] of this.#index.covering(place.prefix.addr, place.prefix.length)) yield p;
  }

  /** Places that lie in the prefix, that of the prefix itself included. */
  *within(p: Prefix): Generator<Place> {
    for (const [, entry] of this.#index.within(p)) yield entry.place;
  }

  *[Symbol.iterator](): Generator<Place> {
    for (const [, entry] of this.#index.entries()) yield entry.place;
  }

  /** All overlays that hold all of the place, as they are by now. */
  overlaysOf(place: Place): Overlay[] {
    return [...this.#index.covering(place.prefix.addr, place.prefix.length)].flatMap(([, entry]) => entry.own);
  }

  #add(p: Prefix, own: readonly Overlay[], atoms: number): PlaceChange {
    const place: Place = { prefix: p, overlays: [] };
    this.#index.set(p, { place, own, atoms });
    place.overlays = this.overlaysOf(place);
    return { added: place, removed: undefined };
  }

  #removeUnused(entry: Entry): PlaceChange {
    const { place } = entry;
    const isUsed = entry.atoms > 0 || entry.own.length > 0 || place.prefix.length === 0;
    if (isUsed) return { added: undefined, removed: undefined };
    this.#index.delete(place.prefix);
    return { added: undefined, removed: place };
  }
}
