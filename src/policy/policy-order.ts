/** The order of policies, kept from one change to the next: ten thousand are sorted once, and one more is put in its place. */

import { listChanges, noteListChanges } from "./list-changes.ts";
import { comparePolicies, type OrderedTier, orderPolicies } from "./order.ts";
import type { Policy, Tier } from "./rule.ts";

/** Policies in order, as of the last update. */
export interface PolicyOrder {
  /** As `orderPolicies` has it. A tier in which nothing has changed is the same object; so is the whole. */
  update(policies: readonly Policy[], tiers: readonly Tier[]): readonly OrderedTier[];
}

/** Where the first policy stands that comes behind `policy`. */
function placeBehind(policies: readonly Policy[], policy: Policy): number {
  let low = 0;
  let high = policies.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePolicies(policies[middle] as Policy, policy) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts a policy behind those that are equal to it: parts of one object come and go together, and in their order. */
export function insertPolicy(policies: Policy[], policy: Policy): void {
  policies.splice(placeBehind(policies, policy), 0, policy);
}

/** Takes a policy out. Nothing happens when it is not in the list. */
export function removePolicy(policies: Policy[], policy: Policy): void {
  let at = placeBehind(policies, policy) - 1;
  while (at >= 0 && policies[at] !== policy && comparePolicies(policies[at] as Policy, policy) === 0) at--;
  if (policies[at] === policy) policies.splice(at, 1);
}

/** No policies yet. */
export function createPolicyOrder(): PolicyOrder {
  let policies: readonly Policy[] = [];
  let tiers: readonly Tier[] | undefined;
  let ordered: readonly OrderedTier[] = [];

  function changed(next: readonly Policy[]): readonly OrderedTier[] {
    const { added, removed } = listChanges(policies, next);
    const isKnown = (p: Policy) => ordered.some((t) => t.tier.name === p.tier);
    // A tier comes with its first policy, or so much is new that sorting costs less.
    const isLarge = (added.length + removed.length) * 8 > next.length;
    if (isLarge || !added.every(isKnown)) return orderPolicies(next, tiers);
    const touched = new Map<string, Policy[]>();
    const listOf = (p: Policy) => {
      const list = touched.get(p.tier) ?? [...(ordered.find((t) => t.tier.name === p.tier)?.policies ?? [])];
      touched.set(p.tier, list);
      return list;
    };
    for (const policy of removed) removePolicy(listOf(policy), policy);
    for (const policy of added) insertPolicy(listOf(policy), policy);
    if ([...touched.values()].some((list) => list.length === 0)) return orderPolicies(next, tiers);
    return ordered.map((t) => {
      const list = touched.get(t.tier.name);
      if (list === undefined) return t;
      const isOf = (p: Policy) => p.tier === t.tier.name;
      const changes = { added: added.filter(isOf), removed: removed.filter(isOf) };
      return { tier: t.tier, policies: noteListChanges(t.policies, list, changes) };
    });
  }

  return {
    update(next, declared) {
      if (next === policies && declared === tiers) return ordered;
      ordered = declared === tiers ? changed(next) : orderPolicies(next, declared);
      policies = next;
      tiers = declared;
      return ordered;
    },
  };
}
