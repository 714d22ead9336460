/** Node CIDRs out of cluster CIDRs. Pure: the leader reads all nodes, carves, and writes what is new. */

import type { Issue } from "../base/issue.ts";
import { addrFromBigint, addrToBigint, type Family, familyBits } from "../net/addr.ts";
import { comparePrefix, type Prefix, prefixCovers, prefixesOverlap, prefixOf } from "../net/prefix.ts";
import { type AddrRange, rangeOfPrefix, subtractRanges } from "../net/range.ts";

/** A part of the cluster's pod address space. */
export interface ClusterPool {
  readonly prefix: Prefix;
  /** Length of each node's share: at least `prefix.length`, at most the family's bits less 2. */
  readonly nodeLength: number;
}

/** A node and the pod CIDRs that its object has already; Kubernetes never lets them change. */
export interface CarveNode {
  readonly name: string;
  readonly podCidrs: readonly Prefix[];
}

/** What {@link carveNodeCidrs} found. */
export interface Carving {
  /** By node, one prefix of each family that has a cluster pool; only nodes that had none. */
  readonly assigned: ReadonlyMap<string, readonly Prefix[]>;
  /** Overlaps, strays, nodes that lack a family, exhausted pools. Nodes named here keep what they have. */
  readonly issues: readonly Issue[];
}

/** All problems of the pools themselves. */
export function clusterPoolIssues(pools: readonly ClusterPool[]): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [i, pool] of pools.entries()) {
    const max = familyBits(pool.prefix.family) - 2;
    const { nodeLength, prefix } = pool;
    if (!Number.isInteger(nodeLength) || nodeLength < prefix.length || nodeLength > max)
      issues.push({
        path: `[${i}].nodeLength`,
        message: `Node prefix length ${nodeLength} of "${prefix.text}" is outside ${prefix.length} to ${max}`,
      });
    for (const [j, other] of pools.entries())
      if (j < i && prefixesOverlap(prefix, other.prefix))
        issues.push({ path: `[${i}]`, message: `"${prefix.text}" overlaps "${other.prefix.text}"` });
  }
  return issues;
}

/** Aligned blocks of a length inside a gap, ascending. */
function* blocksOf(gap: AddrRange, length: number): Generator<Prefix> {
  const size = 1n << BigInt(familyBits(gap.family) - length);
  const last = addrToBigint(gap.last);
  const start = (addrToBigint(gap.first) + size - 1n) / size;
  for (let at = start * size; at + size - 1n <= last; at += size)
    yield prefixOf(addrFromBigint(gap.family, at), length);
}

function* freeBlocks(pools: readonly ClusterPool[], taken: readonly AddrRange[]): Generator<Prefix> {
  for (const pool of pools)
    for (const gap of subtractRanges(rangeOfPrefix(pool.prefix), taken)) yield* blocksOf(gap, pool.nodeLength);
}

/** Overlapping pairs: sorted by start, a prefix can only overlap one that has not ended yet. */
function overlapIssues(nodes: readonly CarveNode[]): readonly Issue[] {
  const all = nodes.flatMap((n) => n.podCidrs.map((p) => ({ node: n.name, p })));
  all.sort((a, b) => comparePrefix(a.p, b.p));
  const issues: Issue[] = [];
  let widest = all[0];
  for (const [i, item] of all.entries()) {
    if (i > 0 && widest !== undefined && prefixCovers(widest.p, item.p))
      issues.push({
        path: item.node,
        message: `Pod CIDR "${item.p.text}" of node "${item.node}" overlaps "${widest.p.text}" of node "${widest.node}"`,
      });
    else widest = item;
  }
  return issues;
}

function nodeIssues(pools: readonly ClusterPool[], node: CarveNode): readonly Issue[] {
  const issues: Issue[] = [];
  for (const p of node.podCidrs)
    if (!pools.some((pool) => prefixCovers(pool.prefix, p)))
      issues.push({ path: node.name, message: `Pod CIDR "${p.text}" of node "${node.name}" is in no cluster CIDR` });
  if (node.podCidrs.length === 0) return issues;
  for (const family of new Set(pools.map((p) => p.prefix.family)))
    if (!node.podCidrs.some((p) => p.family === family))
      issues.push({
        path: node.name,
        message: `Node "${node.name}" has no IPv${family} pod CIDR, and Kubernetes lets none be added: make the node object anew`,
      });
  return issues;
}

/**
 * Gives each node without pod CIDRs one block of each family, the lowest free ones, in the nodes' order. A node is
 * given all its families or none. The same input gives the same output.
 */
export function carveNodeCidrs(pools: readonly ClusterPool[], nodes: readonly CarveNode[]): Carving {
  const taken = nodes.flatMap((n) => n.podCidrs.map(rangeOfPrefix));
  const issues: Issue[] = [...overlapIssues(nodes), ...nodes.flatMap((n) => nodeIssues(pools, n))];
  const families = ([4, 6] as const).filter((f) => pools.some((p) => p.prefix.family === f));
  const supply = new Map<Family, Iterator<Prefix>>(
    families.map((f) => [
      f,
      freeBlocks(
        pools.filter((p) => p.prefix.family === f),
        taken,
      ),
    ]),
  );
  const spare = new Map<Family, Prefix>();
  const assigned = new Map<string, readonly Prefix[]>();
  for (const node of nodes) {
    if (node.podCidrs.length > 0 || families.length === 0) continue;
    const lacking: Family[] = [];
    for (const f of families) {
      if (spare.has(f)) continue;
      const next = supply.get(f)?.next();
      if (next === undefined || next.done === true) lacking.push(f);
      else spare.set(f, next.value);
    }
    if (lacking.length === 0) {
      assigned.set(
        node.name,
        families.flatMap((f) => spare.get(f) ?? []),
      );
      spare.clear();
    } else issues.push({ path: node.name, message: exhaustedMessage(pools, node.name, lacking) });
  }
  return { assigned, issues };
}

function exhaustedMessage(pools: readonly ClusterPool[], node: string, families: readonly Family[]): string {
  const full = pools.filter((p) => families.includes(p.prefix.family));
  const parts = full.map((p) => {
    const blocks = 1n << BigInt(p.nodeLength - p.prefix.length);
    return `"${p.prefix.text}" (${blocks} blocks of /${p.nodeLength}, 0 free)`;
  });
  return `No pod CIDR is left for node "${node}" in ${parts.join(", ")}: add a cluster CIDR`;
}
