/**
 * Which policies select which endpoints, kept from one compilation to the next: a policy that changed is asked of each
 * endpoint, an endpoint that changed asks each policy, and nothing else is asked again.
 */

import type { Endpoint } from "./classes.ts";
import type { OrderedTier } from "./order.ts";
import { matchesPeer } from "./peer.ts";
import type { Direction, Policy } from "./rule.ts";

/** Selections as of the last update. */
export interface Selections {
  update(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[]): void;
  /** As `policiesFor` would find them. */
  of(key: string, direction: Direction): OrderedTier[];
}

interface Selected {
  readonly endpoint: Endpoint;
  readonly policies: Set<Policy>;
}

const selects = (policy: Policy, e: Endpoint) => policy.subject.of === e.of && matchesPeer(policy.subject.is, e.facts);

function hasSide(policy: Policy, direction: Direction): boolean {
  return policy[direction].isolates || policy[direction].rules.length > 0;
}

/** Nothing selects anything. */
export function createSelections(): Selections {
  let places = new Map<Policy, { readonly tier: OrderedTier; readonly place: number }>();
  let selected = new Map<string, Selected>();

  function refreshed(endpoint: Endpoint, added: readonly Policy[], removed: readonly Policy[]): Selected {
    const old = selected.get(endpoint.key);
    if (old === undefined || old.endpoint.facts !== endpoint.facts || old.endpoint.of !== endpoint.of)
      return { endpoint, policies: new Set([...places.keys()].filter((p) => selects(p, endpoint))) };
    for (const p of removed) old.policies.delete(p);
    for (const p of added) if (selects(p, endpoint)) old.policies.add(p);
    return old;
  }

  return {
    update(ordered, endpoints) {
      const before = places;
      places = new Map();
      let place = 0;
      for (const tier of ordered) for (const policy of tier.policies) places.set(policy, { tier, place: place++ });
      const added = [...places.keys()].filter((p) => !before.has(p));
      const removed = [...before.keys()].filter((p) => !places.has(p));
      selected = new Map(endpoints.map((e) => [e.key, refreshed(e, added, removed)]));
    },
    of(key, direction) {
      const found = [...(selected.get(key)?.policies ?? [])]
        .filter((p) => hasSide(p, direction))
        .flatMap((policy) => {
          const at = places.get(policy);
          return at === undefined ? [] : [{ policy, ...at }];
        })
        .sort((a, b) => a.place - b.place);
      const tiers = Map.groupBy(found, (f) => f.tier);
      return [...tiers].map(([{ tier }, list]) => ({ tier, policies: list.map((f) => f.policy) }));
    },
  };
}
