/** The order of policies, kept from one change to the next: ten thousand are sorted once, and one more is put in its place. */

import { listChanges, noteListChanges } from "./list-changes.ts";
import { comparePolicies, type FullTier, orderPolicies } from "./order.ts";
import { type List, Pieces } from "./pieces.ts";
import type { Policy, Tier } from "./rule.ts";

/** Policies in order, as of the last update. */
export interface PolicyOrder {
  /** As `orderPolicies` has it. A tier in which nothing has changed is the same object; so is the whole. */
  update(policies: List<Policy>, tiers: readonly Tier[]): readonly FullTier[];
}

/** A tier as it is kept. */
interface KeptTier extends FullTier {
  readonly policies: Pieces<Policy>;
}

/** No policies yet. */
export function createPolicyOrder(): PolicyOrder {
  let policies: List<Policy> = [];
  let tiers: readonly Tier[] | undefined;
  let ordered: readonly KeptTier[] = [];

  function sorted(next: List<Policy>, declared: readonly Tier[] | undefined): readonly KeptTier[] {
    return orderPolicies(next, declared).map((t) => ({ tier: t.tier, policies: Pieces.of(t.policies) }));
  }

  function changed(next: List<Policy>): readonly KeptTier[] {
    const { added, removed } = listChanges(policies, next);
    const isKnown = (p: Policy) => ordered.some((t) => t.tier.name === p.tier);
    // A tier comes with its first policy, or so much is new that sorting costs less.
    const isLarge = (added.length + removed.length) * 8 > next.length;
    if (isLarge || !added.every(isKnown)) return sorted(next, tiers);
    const now = ordered.map((t) => {
      const isOf = (p: Policy) => p.tier === t.tier.name;
      const changes = { added: added.filter(isOf), removed: removed.filter(isOf) };
      if (changes.added.length === 0 && changes.removed.length === 0) return t;
      let list = t.policies;
      for (const policy of changes.removed) list = list.remove(policy, comparePolicies);
      for (const policy of changes.added) list = list.insert(policy, comparePolicies);
      return { tier: t.tier, policies: noteListChanges(t.policies, list, changes) };
    });
    // A tier that nobody declares goes with its last policy.
    return now.some((t, i) => t !== ordered[i] && t.policies.length === 0) ? sorted(next, tiers) : now;
  }

  return {
    update(next, declared) {
      if (next === policies && declared === tiers) return ordered;
      ordered = declared === tiers ? changed(next) : sorted(next, declared);
      policies = next;
      tiers = declared;
      return ordered;
    },
  };
}
