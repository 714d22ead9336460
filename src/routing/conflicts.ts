/** Two nodes must never claim the same address: the claim that stood first is kept, the other is reported and left out. */

import type { Issue } from "../base/issue.ts";
import { comparePrefix, type Prefix, prefixCovers } from "../net/prefix.ts";

/** A prefix that a node says is its own. */
export interface Claim {
  readonly prefix: Prefix;
  readonly owner: string;
  /** Lower wins. Order of the nodes, this node first. */
  readonly rank: number;
}

/**
 * The claims without those that overlap a better ranked one of another owner, and an issue for each that was left out.
 *
 * After sorting by address, then by length, whatever overlaps a claim either directly follows it or lies inside of it, so
 * one pass that remembers the last kept claim sees every conflict.
 */
export function settleClaims(claims: readonly Claim[]): {
  readonly kept: readonly Claim[];
  readonly issues: readonly Issue[];
} {
  const sorted = [...claims].sort((a, b) => comparePrefix(a.prefix, b.prefix) || a.rank - b.rank);
  const kept: Claim[] = [];
  const issues: Issue[] = [];
  for (const claim of sorted) {
    let isKept = true;
    for (let last = kept.at(-1); last !== undefined && prefixCovers(last.prefix, claim.prefix); last = kept.at(-1)) {
      if (last.owner === claim.owner) break;
      const [loser, winner] = last.rank <= claim.rank ? [claim, last] : [last, claim];
      issues.push({
        path: `nodes.${loser.owner}`,
        message: `"${loser.prefix.text}" overlaps "${winner.prefix.text}" of node "${winner.owner}", which keeps it: give each node its own`,
      });
      isKept = loser !== claim;
      if (!isKept) break;
      kept.pop();
    }
    if (isKept) kept.push(claim);
  }
  return { kept, issues };
}
