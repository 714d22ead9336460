/** The profiles that there are, by their place and their facts, and which of them an atom can mean. */

import { CompactSet } from "../base/compact-set.ts";
import { objectNumber } from "../base/object-number.ts";
import { remembered } from "../base/remembered.ts";
import { type Borne, createBearers, portText } from "./bearers.ts";
import type { LabelMap } from "./label-expr.ts";
import type { Place, Places } from "./places.ts";
import type { Profile } from "./profiles.ts";
import type { Atom, Facts, LabelDomain } from "./rule.ts";

/** Equal for equal facts: the key of a profile in its place. */
export function factsText(facts: Facts): string {
  let labels = "";
  for (const [domain, maps] of facts.labels) labels += ` ${domain} ${maps.map(objectNumber).join("+")}`;
  const services = facts.services.size === 0 ? "" : [...facts.services].sort().join(" ");
  return `${[...facts.entities].join("+")}|${labels}|${services}|${facts.namedPorts.map(portText).join(" ")}`;
}

/** The same, kept for facts that several addresses share. */
export const sharedText: (facts: Facts) => string = remembered(factsText);

/** All that is borne by addresses with the profile. */
function borneBy(profile: Profile): Borne[] {
  return [profile.facts, ...profile.place.overlays];
}

/** See the file's comment. Whoever holds profiles says when nobody holds one any more. */
export class ProfileTable {
  readonly #places: Places;
  readonly #at = new Map<Place, Map<string, Profile>>();
  readonly #bearers;

  /** @param onUnborne told of labels that nobody bears any more */
  constructor(places: Places, onUnborne: (domain: LabelDomain, labels: LabelMap) => void) {
    this.#places = places;
    this.#bearers = createBearers<Profile>(onUnborne);
  }

  /** The profile of facts in a place, made where there is none: then it has no holders and no identity yet. */
  of(factsKey: string, facts: Facts, place: Place): Profile {
    let here = this.#at.get(place);
    if (here === undefined) {
      here = new Map();
      this.#at.set(place, here);
    }
    const known = here.get(factsKey);
    if (known !== undefined) return known;
    const profile: Profile = { factsKey, facts, place, identity: undefined, holders: new CompactSet() };
    here.set(factsKey, profile);
    this.#bearers.add(profile, borneBy(profile));
    return profile;
  }

  /** Nobody holds it any more. */
  end(profile: Profile): void {
    this.#bearers.delete(profile, borneBy(profile));
    const here = this.#at.get(profile.place);
    here?.delete(profile.factsKey);
    if (here?.size === 0) this.#at.delete(profile.place);
  }

  *[Symbol.iterator](): Generator<Profile> {
    for (const here of this.#at.values()) yield* here.values();
  }

  /** Those for which the answer to the atom can be yes. */
  *bearersOf(atom: Atom): Generator<Profile> {
    if (atom.kind !== "cidr") yield* this.#bearers.of(atom);
    else for (const place of this.#places.within(atom.prefix)) yield* this.#at.get(place)?.values() ?? [];
  }

  /** Those with a port of that name. */
  ofPortName(name: string): Iterable<Profile> {
    return this.#bearers.ofPortName(name);
  }

  /** The overlays around the place are others than they were. @returns its profiles */
  overlaid(place: Place): Iterable<Profile> {
    const profiles = [...(this.#at.get(place)?.values() ?? [])];
    for (const profile of profiles) this.#bearers.delete(profile, borneBy(profile));
    place.overlays = this.#places.overlaysOf(place);
    for (const profile of profiles) this.#bearers.add(profile, borneBy(profile));
    return profiles;
  }
}
