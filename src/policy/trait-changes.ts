/**
 * What becomes of traits when atoms come and go: they are those of before with some numbers more or less. What came is asked of each
 * profile, what went is not, and profiles of one identity that answer alike have the same new traits, made once.
 */

import { assertNever } from "../base/assert-never.ts";
import { prefixCovers } from "../net/prefix.ts";
import type { Borne } from "./bearers.ts";
import type { LabelAnswers } from "./label-answers.ts";
import { textOfNumbers } from "./number-text.ts";
import { keyOfTraits, type Profile, type SharedIdentity, type Traits } from "./profiles.ts";
import type { Atom } from "./rule.ts";

/** An atom that comes into use, or goes out of it. */
export interface AtomChange {
  readonly atom: Atom;
  readonly number: number;
  readonly by: 1 | -1;
}

/** Whether the answer to an atom in use is yes for addresses with the profile. */
function isSatisfied({ atom, number }: AtomChange, { facts, place }: Profile, answers: LabelAnswers): boolean {
  const isBorne = (test: (borne: Borne) => boolean) => test(facts) || place.overlays.some(test);
  switch (atom.kind) {
    case "labels":
      return isBorne(({ labels }) =>
        (labels.get(atom.domain) ?? []).some((map) => answers.satisfied(atom.domain, map).has(number)),
      );
    case "entity":
      return isBorne(({ entities }) => entities.has(atom.entity));
    case "service":
      return isBorne(({ services }) => services.has(`${atom.namespace}/${atom.name}`));
    case "cidr":
      return prefixCovers(atom.prefix, place.prefix) && (atom.scope === "any" || facts.entities.has("world"));
    case "named-port":
      return facts.namedPorts.some((p) => p.name === atom.name && p.protocol === atom.protocol && p.port === atom.port);
    default:
      return assertNever(atom);
  }
}

/** See the file's comment. For the time in which profiles get their new identities. */
export class TraitChanges {
  readonly #came: readonly AtomChange[];
  readonly #gone: readonly number[];
  readonly #answers: LabelAnswers;
  /** By the identity of before, and by what of the new is satisfied. */
  readonly #made = new Map<SharedIdentity, Map<string, Traits>>();

  constructor(changed: readonly AtomChange[], answers: LabelAnswers) {
    this.#came = changed.filter((c) => c.by === 1);
    this.#gone = changed.filter((c) => c.by === -1).map((c) => c.number);
    this.#answers = answers;
  }

  /** @param before that of the profile, which was right before the change @returns the identity's own where they are the same */
  traitsOf(profile: Profile, before: SharedIdentity): Traits {
    let yes = "";
    for (const change of this.#came) yes += isSatisfied(change, profile, this.#answers) ? "1" : "0";
    let made = this.#made.get(before);
    if (made === undefined) {
      made = new Map();
      this.#made.set(before, made);
    }
    let traits = made.get(yes);
    if (traits === undefined) {
      traits = this.#make(before.traits, yes);
      made.set(yes, traits);
    }
    return traits;
  }

  #make(before: Traits, yes: string): Traits {
    const isSame = !yes.includes("1") && !this.#gone.some((number) => before.yes.has(number));
    if (isSame) return before;
    const numbers = new Set(before.yes);
    for (const number of this.#gone) numbers.delete(number);
    for (const [i, { number }] of this.#came.entries()) if (yes[i] === "1") numbers.add(number);
    return { ...before, yes: numbers, key: keyOfTraits(before.family, before.portsText, textOfNumbers(numbers)) };
  }
}
