/** The atoms and the names of ports that are in use: the atoms' numbers, and what a profile answers to all of them. */

import type { Prefix } from "../net/prefix.ts";
import { portText } from "./bearers.ts";
import { createLabelAnswers, type LabelAnswers } from "./label-answers.ts";
import { textOfNumbers } from "./number-text.ts";
import { createNumbers } from "./numbers.ts";
import { keyOfAtom } from "./peer.ts";
import { keyOfTraits, type Profile, type Traits } from "./profiles.ts";
import { type Atom, cidrKey, entityKey, portKey, serviceKey } from "./rule.ts";
import type { AtomChange } from "./trait-changes.ts";

/** What came into use and what went out of it. */
export interface UseChange {
  readonly atoms: readonly AtomChange[];
  readonly portNames: ReadonlySet<string>;
}

/** See the file's comment. */
export class AtomsInUse {
  /** Of label atoms, by the labels that are asked. */
  readonly answers: LabelAnswers = createLabelAnswers();
  readonly #byKey = new Map<string, { readonly number: number; readonly atom: Atom }>();
  readonly #numbers = createNumbers(1);
  #portNames: ReadonlySet<string> = new Set();

  /** An atom's number, the same for as long as it is in use; undefined: it is not. */
  numberOf(atom: Atom): number | undefined {
    return this.#byKey.get(keyOfAtom(atom))?.number;
  }

  /** All of them: others are forgotten. @param atoms by their keys */
  use(atoms: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): UseChange {
    const changed: AtomChange[] = [];
    this.#byKey.forEach(({ number, atom }, key) => {
      if (atoms.has(key)) return;
      this.#byKey.delete(key);
      this.#numbers.forget(key);
      changed.push({ atom, number, by: -1 });
      if (atom.kind === "labels") this.answers.remove(number, atom.domain);
    });
    this.#add(atoms, changed);
    return { atoms: changed, portNames: this.#name(portNames) };
  }

  /** These beside those in use. */
  useAlso(atoms: ReadonlyMap<string, Atom>, portNames: ReadonlySet<string>): UseChange {
    const changed: AtomChange[] = [];
    this.#add(atoms, changed);
    return { atoms: changed, portNames: this.#name(this.#portNames.union(portNames)) };
  }

  #add(atoms: ReadonlyMap<string, Atom>, changed: AtomChange[]): void {
    atoms.forEach((atom, key) => {
      if (this.#byKey.has(key)) return;
      const number = this.#numbers.numberOf(key);
      this.#byKey.set(key, { number, atom });
      changed.push({ atom, number, by: 1 });
      if (atom.kind === "labels") this.answers.add(number, atom);
    });
  }

  /** @returns the names that came or went */
  #name(portNames: ReadonlySet<string>): ReadonlySet<string> {
    const changed = this.#portNames.symmetricDifference(portNames);
    this.#portNames = portNames;
    return changed;
  }

  /** What decides about the profile's identity. @param around prefixes that hold its place, the place's own among them */
  traitsOf(profile: Profile, around: Iterable<Prefix>): Traits {
    const { family } = profile.place.prefix;
    const yes = this.#satisfied(profile, around);
    const namedPorts = profile.facts.namedPorts
      .filter((p) => this.#portNames.has(p.name))
      .sort((a, b) => (portText(a) < portText(b) ? -1 : 1));
    const portsText = namedPorts.map(portText).join(" ");
    return { family, yes, namedPorts, portsText, key: keyOfTraits(family, portsText, textOfNumbers(yes)) };
  }

  /** Numbers of the atoms whose answer is yes. Numbers begin at 1. */
  #satisfied({ facts, place }: Profile, around: Iterable<Prefix>): Set<number> {
    const out = new Set<number>();
    // By their keys: an atom made for the question would have to be made into one first.
    const add = (key: string) => {
      const number = this.#byKey.get(key)?.number;
      if (number !== undefined) out.add(number);
    };
    for (const of of [facts, ...place.overlays]) {
      for (const [domain, maps] of of.labels)
        for (const map of maps) for (const n of this.answers.satisfied(domain, map)) out.add(n);
      for (const text of of.services) {
        const slash = text.indexOf("/");
        add(serviceKey(text.slice(0, slash), text.slice(slash + 1)));
      }
      for (const entity of of.entities) add(entityKey(entity));
    }
    for (const p of facts.namedPorts) add(portKey(p));
    for (const p of around) {
      add(cidrKey("any", p));
      if (facts.entities.has("world")) add(cidrKey("outside", p));
    }
    return out;
  }
}
