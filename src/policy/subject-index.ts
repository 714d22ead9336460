/** Policies by what their subjects ask, so that an endpoint that comes need not ask each of ten thousand. */

import { anchorsOf, keyOfAtom, matchesAtom } from "./peer.ts";
import type { AddressFacts, Atom, Policy } from "./rule.ts";

interface Bucket {
  readonly atom: Atom;
  readonly policies: Set<Policy>;
}

/** See the file's comment. */
export class SubjectIndex {
  readonly #byAtom = new Map<string, Bucket>();
  /** Those whose subject does not rest on any one atom. */
  readonly #others = new Set<Policy>();

  add(policy: Policy): void {
    const anchors = anchorsOf(policy.subject.is);
    if (anchors === undefined) this.#others.add(policy);
    for (const atom of anchors ?? []) {
      const key = keyOfAtom(atom);
      const bucket = this.#byAtom.get(key) ?? { atom, policies: new Set() };
      this.#byAtom.set(key, bucket);
      bucket.policies.add(policy);
    }
  }

  remove(policy: Policy): void {
    this.#others.delete(policy);
    for (const atom of anchorsOf(policy.subject.is) ?? []) {
      const key = keyOfAtom(atom);
      const policies = this.#byAtom.get(key)?.policies;
      policies?.delete(policy);
      if (policies?.size === 0) this.#byAtom.delete(key);
    }
  }

  /** Policies that may select what has these facts. No other does. */
  candidates(facts: AddressFacts): Set<Policy> {
    const found = new Set(this.#others);
    for (const { atom, policies } of this.#byAtom.values())
      if (matchesAtom(atom, facts)) for (const policy of policies) found.add(policy);
    return found;
  }
}
