/** From tiers and policies to the ordered walk that judges one endpoint's traffic in one direction. */

import { matchesPeer } from "./peer.ts";
import type { List } from "./pieces.ts";
import {
  type AddressFacts,
  BUILT_IN_TIERS,
  type Dialect,
  type Direction,
  type Policy,
  type PolicyRef,
  type Rule,
  type Subject,
  type Tier,
} from "./rule.ts";

/** A tier with all its policies in the order of their judgement. */
export interface FullTier {
  readonly tier: Tier;
  readonly policies: List<Policy>;
}

/** The same, where they are few enough to be copied. */
export interface OrderedTier extends FullTier {
  readonly policies: readonly Policy[];
}

/** One step of a walk. Steps of a tier follow each other; `tier` is the tier's place, which `pass` skips. */
export type Step =
  | {
      readonly kind: "rule";
      readonly tier: number;
      readonly policy: Policy;
      readonly rule: Rule;
      /** Counted and logged, without effect. */
      readonly isStaged: boolean;
    }
  | {
      /** The end of a tier in which a policy isolates the endpoint. */
      readonly kind: "end";
      readonly tier: number;
      readonly of: Tier;
      /** The policies that isolate it: those in force, or, where there are none, those that are staged. */
      readonly by: readonly Policy[];
      readonly isStaged: boolean;
    };

/** API groups of the dialects' kinds. */
const GROUPS: Readonly<Record<Dialect, string>> = {
  kubernetes: "networking.k8s.io",
  "cluster-network-policy": "policy.networking.k8s.io",
  calico: "projectcalico.org",
  cilium: "cilium.io",
};

/** `group/kind/namespace/name`: no two objects have the same. */
export function refKey(ref: PolicyRef): string {
  return `${GROUPS[ref.dialect]}/${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** `kind namespace/name`, as people and tables name a policy; of the two kinds NetworkPolicy, Calico's with its group. */
export function refText(ref: PolicyRef): string {
  const isTwin = ref.kind === "NetworkPolicy" && ref.dialect !== "kubernetes";
  const kind = isTwin ? `${ref.kind}.${GROUPS[ref.dialect]}` : ref.kind;
  return `${kind} ${ref.namespace === "" ? ref.name : `${ref.namespace}/${ref.name}`}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Infinities are equal to themselves here, which subtraction would not make them. */
function compareOrder(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/**
 * By order, rank, dialect, name, namespace and kind, as `Array.sort` wants it; equal are only parts of one object. Calico breaks ties by
 * the name before the namespace.
 */
export function comparePolicies(a: Policy, b: Policy): number {
  return (
    compareOrder(a.order, b.order) ||
    a.rank - b.rank ||
    compareText(a.ref.dialect, b.ref.dialect) ||
    compareText(a.ref.name, b.ref.name) ||
    compareText(a.ref.namespace, b.ref.namespace) ||
    compareText(a.ref.kind, b.ref.kind)
  );
}

/**
 * Tiers by order and name, policies by order, rank, dialect, name and namespace. A tier that a policy names and nobody
 * declares stands where `default` stands and denies at its end: traffic is not opened by an object that is missing.
 */
export function orderPolicies(policies: Iterable<Policy>, declared: Iterable<Tier> = []): OrderedTier[] {
  const tiers = new Map<string, { tier: Tier; policies: Policy[] }>();
  for (const tier of [...declared, ...BUILT_IN_TIERS])
    if (!tiers.has(tier.name)) tiers.set(tier.name, { tier, policies: [] });
  for (const policy of policies) {
    let entry = tiers.get(policy.tier);
    if (entry === undefined) {
      entry = { tier: { name: policy.tier, order: 1_000_000, end: "deny" }, policies: [] };
      tiers.set(policy.tier, entry);
    }
    entry.policies.push(policy);
  }
  return [...tiers.values()]
    .map((t) => ({ tier: t.tier, policies: t.policies.sort(comparePolicies) }))
    .sort((a, b) => compareOrder(a.tier.order, b.tier.order) || compareText(a.tier.name, b.tier.name));
}

/** The policies of each tier that have something to say about an endpoint in one direction. */
export function policiesFor(
  ordered: readonly OrderedTier[],
  of: Subject["of"],
  facts: AddressFacts,
  direction: Direction,
): OrderedTier[] {
  const applies = (p: Policy) =>
    p.subject.of === of && (p[direction].isolates || p[direction].rules.length > 0) && matchesPeer(p.subject.is, facts);
  return ordered
    .map((t) => ({ tier: t.tier, policies: t.policies.filter(applies) }))
    .filter((t) => t.policies.length > 0);
}

/** The steps of a walk over those policies. */
export function walkOf(tiers: readonly OrderedTier[], direction: Direction): Step[] {
  return tiers.flatMap(({ tier, policies }, place): Step[] => {
    const steps = policies.flatMap((policy) =>
      policy[direction].rules.map(
        (rule): Step => ({ kind: "rule", tier: place, policy, rule, isStaged: policy.mode === "stage" }),
      ),
    );
    const isolating = policies.filter((p) => p[direction].isolates);
    if (isolating.length === 0) return steps;
    const enforced = isolating.filter((p) => p.mode === "enforce");
    const isStaged = enforced.length === 0;
    return [...steps, { kind: "end", tier: place, of: tier, by: isStaged ? isolating : enforced, isStaged }];
  });
}

/** How a walk came out. */
export interface Outcome {
  readonly isAllowed: boolean;
  /** The step that decided; undefined: nothing did, and what nobody speaks about is allowed. */
  readonly by: Step | undefined;
  /** The first `log` rule that matched on the way. */
  readonly logged: Step | undefined;
}

/**
 * Walks the steps: the first rule that allows or denies decides, `pass` goes to the next tier, `log` goes on.
 * @param withStaged as if staged policies were enforced
 */
export function walk(
  steps: Iterable<Step>,
  matches: (step: Step & { kind: "rule" }) => boolean,
  withStaged = false,
): Outcome {
  let skipped = -1;
  let logged: Step | undefined;
  for (const step of steps) {
    if (step.tier === skipped || (step.isStaged && !withStaged)) continue;
    if (step.kind === "end") {
      if (step.of.end === "deny") return { isAllowed: false, by: step, logged };
      continue;
    }
    if (!matches(step)) continue;
    switch (step.rule.action) {
      case "allow":
        return { isAllowed: true, by: step, logged };
      case "deny":
        return { isAllowed: false, by: step, logged };
      case "pass":
        skipped = step.tier;
        break;
      case "log":
        logged ??= step;
        break;
    }
  }
  return { isAllowed: true, by: undefined, logged };
}
