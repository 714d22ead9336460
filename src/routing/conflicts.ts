/** Two nodes must never claim the same address: the better ranked claim is kept, the other is reported and left out. */

import type { Issue } from "../base/issue.ts";
import { type Prefix, prefixOf } from "../net/prefix.ts";

/** A prefix that a node says is its own. */
export interface Claim {
  readonly prefix: Prefix;
  readonly owner: string;
  /** Lower wins. Order of the nodes, this node first. */
  readonly rank: number;
}

/** The part of a prefix's address that a shorter prefix has: equal text, equal prefix. */
function upTo(p: Prefix, length: number): string {
  return prefixOf(p.addr, length).text;
}

/**
 * Kept claims, found from above and from below. There are few different lengths, so a claim asks once for each length
 * instead of comparing itself with every other claim.
 */
class KeptClaims {
  readonly all: Claim[] = [];
  readonly #lengths: ReadonlyMap<number, readonly number[]>;
  readonly #byPrefix = new Map<string, Claim>();
  /** Claims inside of a prefix, of at most two owners: one of them is another's than whoever asks. */
  readonly #inside = new Map<string, Claim[]>();

  constructor(claims: readonly Claim[]) {
    const lengths = new Map<number, Set<number>>();
    for (const { prefix } of claims)
      lengths.set(prefix.family, (lengths.get(prefix.family) ?? new Set()).add(prefix.length));
    this.#lengths = new Map(Array.from(lengths, ([family, set]) => [family, [...set].sort((a, b) => a - b)]));
  }

  /** Lengths up to a prefix's own, its own included. */
  #above(p: Prefix): readonly number[] {
    return (this.#lengths.get(p.family) ?? []).filter((l) => l <= p.length);
  }

  /** A kept claim of somebody else that shares an address. */
  rivalOf(claim: Claim): Claim | undefined {
    for (const length of this.#above(claim.prefix)) {
      const around = this.#byPrefix.get(upTo(claim.prefix, length));
      if (around !== undefined && around.owner !== claim.owner) return around;
    }
    return this.#inside.get(claim.prefix.text)?.find((c) => c.owner !== claim.owner);
  }

  keep(claim: Claim): void {
    this.all.push(claim);
    this.#byPrefix.set(claim.prefix.text, claim);
    for (const length of this.#above(claim.prefix)) {
      const key = upTo(claim.prefix, length);
      const inside = this.#inside.get(key) ?? [];
      if (inside.length < 2 && inside.every((c) => c.owner !== claim.owner)) inside.push(claim);
      this.#inside.set(key, inside);
    }
  }
}

/** The claims without those that overlap a better ranked one of another owner, and an issue for each that was left out. */
export function settleClaims(
  claims: readonly Claim[],
  remedy = "give each node its own",
): {
  readonly kept: readonly Claim[];
  readonly issues: readonly Issue[];
} {
  const kept = new KeptClaims(claims);
  const issues: Issue[] = [];
  for (const claim of [...claims].sort((a, b) => a.rank - b.rank)) {
    const rival = kept.rivalOf(claim);
    if (rival === undefined) kept.keep(claim);
    else
      issues.push({
        path: `nodes.${claim.owner}`,
        message: `"${claim.prefix.text}" overlaps "${rival.prefix.text}" of node "${rival.owner}", which keeps it: ${remedy}`,
      });
  }
  return { kept: kept.all, issues };
}
