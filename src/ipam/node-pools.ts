/** From the cluster's IPPools, Twill's and Calico's, to what node CIDRs are carved from. */

import type { Labels } from "../model/intern.ts";
import type { IpPool } from "../model/ip-pool.ts";
import { matchesCalicoSelector, matchesSelector } from "../model/match-labels.ts";
import { prefixesOverlap } from "../net/prefix.ts";
import type { ClusterPool } from "./carve.ts";

/** The pools in use, and why others are not. */
export interface SettledPools {
  /** In the order in which they are carved from: those that select nodes before those that are for all, each by name. */
  readonly used: readonly IpPool[];
  /** Why, in words. */
  readonly refused: ReadonlyMap<IpPool, string>;
}

/** Length of each node's share. @param lengths of the configuration */
export function shareLength(
  { cidr, nodeLength, blockLength }: Pick<IpPool, "cidr" | "nodeLength" | "blockLength">,
  lengths: Readonly<Record<4 | 6, number>>,
): number {
  const wanted = nodeLength ?? lengths[cidr.family];
  return Math.max(cidr.length, Math.min(wanted, blockLength ?? wanted));
}

/** Whether a node with such labels is given CIDRs of it. */
export function selectsNode({ selector }: Pick<IpPool, "selector">, labels: Labels): boolean {
  if (selector === undefined) return true;
  return "op" in selector ? matchesCalicoSelector(selector, labels) : matchesSelector(selector, labels);
}

const byAge = (a: IpPool, b: IpPool) =>
  a.createdAt === b.createdAt ? (a.name < b.name ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1;

const byUse = (a: IpPool, b: IpPool) =>
  Number(a.selector === undefined) - Number(b.selector === undefined) || (a.name < b.name ? -1 : 1);

/** Of pools that overlap the oldest is used, disabled or not: nodes may have CIDRs of it. */
export function settlePools(pools: Iterable<IpPool>): SettledPools {
  const used: IpPool[] = [];
  const refused = new Map<IpPool, string>();
  for (const pool of [...pools].sort(byAge)) {
    const other = used.find((u) => prefixesOverlap(u.cidr, pool.cidr));
    if (other === undefined) used.push(pool);
    else
      refused.set(pool, `"${pool.cidr.text}" overlaps "${other.cidr.text}" of the older ${other.kind} "${other.name}"`);
  }
  return { used: used.sort(byUse), refused };
}

/**
 * What to carve from: the pools that are enabled, or what the configuration says where there is no pool at all.
 * @param configured of the configuration, with the length of nodes' shares in each family
 */
export function carvingPools(
  { used }: SettledPools,
  configured: readonly ClusterPool[],
  lengths: Readonly<Record<4 | 6, number>>,
): readonly ClusterPool[] {
  if (used.length === 0) return configured;
  return used
    .filter((p) => !p.isDisabled)
    .map((pool) => ({
      name: pool.name,
      prefix: pool.cidr,
      nodeLength: shareLength(pool, lengths),
      reserved: pool.reserved,
      ...(pool.selector !== undefined && { isFor: (labels: Labels) => selectsNode(pool, labels) }),
    }));
}
