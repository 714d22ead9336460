/**
 * Which policies select which endpoints, kept from one compilation to the next: a policy that changed is asked of each
 * endpoint, an endpoint that changed asks the policies that may select it, and nothing else is asked again.
 */

import type { Endpoint } from "./classes.ts";
import { listChanges } from "./list-changes.ts";
import { comparePolicies, type FullTier, type OrderedTier } from "./order.ts";
import { evaluatePeer, keyOfAtom, matchesAtom } from "./peer.ts";
import { Pieces } from "./pieces.ts";
import type { Atom, Direction, Policy } from "./rule.ts";
import { SubjectIndex } from "./subject-index.ts";

/** What selects an endpoint, as `policiesFor` would find it. The same object as long as it is the same. */
export type Selection = Readonly<Record<Direction, readonly OrderedTier[]>>;

/** Selections as of the last update. */
export interface Selections {
  update(ordered: readonly FullTier[], endpoints: readonly Endpoint[]): void;
  of(key: string): Selection;
}

interface Selected {
  readonly endpoint: Endpoint;
  /** By the name of their tier, in their order. */
  readonly policies: Map<string, Pieces<Policy>>;
  selection: Selection | undefined;
}

const NOTHING: Selection = { ingress: [], egress: [] };

/** Whether policies select the endpoint. Ten thousand of them ask a few hundred questions, each of which is asked once. */
function selectorOf(e: Endpoint): (policy: Policy) => boolean {
  const answers = new Map<string, boolean>();
  const answer = (atom: Atom) => {
    const key = keyOfAtom(atom);
    const known = answers.get(key) ?? matchesAtom(atom, e.facts);
    answers.set(key, known);
    return known;
  };
  return (policy) => policy.subject.of === e.of && evaluatePeer(policy.subject.is, answer);
}

function hasSide(policy: Policy, direction: Direction): boolean {
  return policy[direction].isolates || policy[direction].rules.length > 0;
}

/** What happened to policies between two orders. */
function policyChanges(before: readonly FullTier[], after: readonly FullTier[]) {
  const of = (ordered: readonly FullTier[], name: string) => ordered.find((t) => t.tier.name === name)?.policies ?? [];
  const names = new Set([...before, ...after].map((t) => t.tier.name));
  const changes = [...names].map((name) => listChanges(of(before, name), of(after, name)));
  return { added: changes.flatMap((c) => c.added), removed: changes.flatMap((c) => c.removed) };
}

function hasSameTiers(a: readonly FullTier[], b: readonly FullTier[]): boolean {
  return a.length === b.length && a.every((t, i) => t.tier === b[i]?.tier);
}

/** Those of the list that are in the set. */
function* intersection(list: Iterable<Policy>, set: ReadonlySet<Policy>): Generator<Policy> {
  for (const policy of list) if (set.has(policy)) yield policy;
}

/** Nothing selects anything. */
export function createSelections(): Selections {
  let ordered: readonly FullTier[] = [];
  let selected = new Map<string, Selected>();
  let last: readonly Endpoint[] = [];
  const subjects = new SubjectIndex();
  /** Whom a policy selects. */
  const selectedBy = new Map<Policy, Set<Selected>>();

  function note(policy: Policy, of: Selected): void {
    const all = selectedBy.get(policy) ?? new Set();
    selectedBy.set(policy, all.add(of));
  }

  /** The endpoint is another, or gone. */
  function forget(of: Selected): void {
    for (const policies of of.policies.values()) for (const policy of policies) selectedBy.get(policy)?.delete(of);
  }

  function fresh(endpoint: Endpoint): Selected {
    const policies = new Map<string, Pieces<Policy>>();
    const selects = selectorOf(endpoint);
    const found = new Set([...subjects.candidates(endpoint.facts)].filter(selects));
    const tiers = new Set(Array.from(found, (policy) => policy.tier));
    for (const { tier, policies: all } of ordered)
      if (tiers.has(tier.name)) policies.set(tier.name, Pieces.of(intersection(all, found)));
    const of: Selected = { endpoint, policies, selection: undefined };
    for (const policy of found) note(policy, of);
    return of;
  }

  function drop(policy: Policy): void {
    for (const of of selectedBy.get(policy) ?? []) {
      const rest = of.policies.get(policy.tier)?.remove(policy, comparePolicies);
      if (rest !== undefined) of.policies.set(policy.tier, rest);
      of.selection = undefined;
    }
    selectedBy.delete(policy);
  }

  function refresh(of: Selected, added: readonly Policy[]): void {
    for (const policy of added.filter(selectorOf(of.endpoint))) {
      const own = of.policies.get(policy.tier) ?? Pieces.of([]);
      of.policies.set(policy.tier, own.insert(policy, comparePolicies));
      of.selection = undefined;
      note(policy, of);
    }
  }

  function side(of: Selected, direction: Direction): OrderedTier[] {
    return ordered.flatMap(({ tier }) => {
      const policies = [...(of.policies.get(tier.name) ?? [])].filter((p) => hasSide(p, direction));
      return policies.length === 0 ? [] : [{ tier, policies }];
    });
  }

  return {
    update(next, endpoints) {
      if (next === ordered && endpoints === last) return;
      const { added, removed } = policyChanges(ordered, next);
      const isSame = hasSameTiers(ordered, next);
      ordered = next;
      last = endpoints;
      for (const policy of removed) {
        subjects.remove(policy);
        drop(policy);
      }
      for (const policy of added) subjects.add(policy);
      const before = selected;
      selected = new Map();
      for (const endpoint of endpoints) {
        const old = before.get(endpoint.key);
        const isKnown = old !== undefined && old.endpoint.facts === endpoint.facts && old.endpoint.of === endpoint.of;
        if (old !== undefined && !isKnown) forget(old);
        const of = isKnown ? old : fresh(endpoint);
        if (isKnown && added.length > 0) refresh(of, added);
        if (!isSame) of.selection = undefined;
        selected.set(endpoint.key, of);
      }
      for (const [key, of] of before) if (!selected.has(key)) forget(of);
    },
    of(key) {
      const of = selected.get(key);
      if (of === undefined) return NOTHING;
      of.selection ??= { ingress: side(of, "ingress"), egress: side(of, "egress") };
      return of.selection;
    },
  };
}
