/** Node CIDRs out of cluster CIDRs. Pure: the leader reads all nodes, carves, and writes what is new. */

import type { Issue } from "../base/issue.ts";
import { type Labels, NO_LABELS } from "../model/intern.ts";
import { addrFromBigint, addrToBigint, type Family, familyBits } from "../net/addr.ts";
import { comparePrefix, type Prefix, prefixCovers, prefixesOverlap, prefixOf } from "../net/prefix.ts";
import { type AddrRange, rangeOf, rangeOfPrefix, subtractRanges } from "../net/range.ts";

/** A part of the cluster's pod address space. */
export interface ClusterPool {
  readonly prefix: Prefix;
  /** Length of each node's share: at least `prefix.length`, at most the family's bits less 2. */
  readonly nodeLength: number;
  /** Of an IPPool; undefined: the configuration's. */
  readonly name?: string;
  /** Nodes that are given blocks of it; undefined: all. */
  isFor?(labels: Labels): boolean;
  /** A block that lies in one of them as a whole is given to nobody. */
  readonly reserved?: readonly AddrRange[];
}

/** A node and the pod CIDRs that its object has already; Kubernetes never lets them change. */
export interface CarveNode {
  readonly name: string;
  readonly podCidrs: readonly Prefix[];
  /** undefined: none. */
  readonly labels?: Labels;
  /** Pools that they were given of, whether or not these are still there. */
  readonly poolCidrs?: readonly Prefix[];
}

/** One block, and the pool that it is of. */
export interface Given {
  readonly cidr: Prefix;
  readonly pool: ClusterPool;
}

/** What {@link carveNodeCidrs} found. */
export interface Carving {
  /** By node, one prefix of each family that has a cluster pool; only nodes that had none. */
  readonly assigned: ReadonlyMap<string, readonly Given[]>;
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

/** The part of a reserved range that whole blocks lie in; undefined: none does. */
function wholeBlocks(r: AddrRange, length: number): AddrRange | undefined {
  const size = 1n << BigInt(familyBits(r.family) - length);
  const first = ((addrToBigint(r.first) + size - 1n) / size) * size;
  const end = ((addrToBigint(r.last) + 1n) / size) * size;
  return end <= first ? undefined : rangeOf(addrFromBigint(r.family, first), addrFromBigint(r.family, end - 1n));
}

function* freeBlocks(pool: ClusterPool, taken: readonly AddrRange[]): Generator<Prefix> {
  const { prefix, nodeLength, reserved = [] } = pool;
  const kept = reserved.flatMap((r) => (r.family === prefix.family ? (wholeBlocks(r, nodeLength) ?? []) : []));
  for (const gap of subtractRanges(rangeOfPrefix(prefix), [...taken, ...kept])) yield* blocksOf(gap, nodeLength);
}

/** Blocks of a pool, one after the other; one that is looked at is still there. */
class Supply {
  readonly pool: ClusterPool;
  readonly #blocks: Iterator<Prefix>;
  #next: Prefix | undefined;

  constructor(pool: ClusterPool, taken: readonly AddrRange[]) {
    this.pool = pool;
    this.#blocks = freeBlocks(pool, taken);
  }

  look(): Prefix | undefined {
    if (this.#next === undefined) {
      const next = this.#blocks.next();
      this.#next = next.done === true ? undefined : next.value;
    }
    return this.#next;
  }

  take(): void {
    this.#next = undefined;
  }
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
    if (![...pools.map((pool) => pool.prefix), ...(node.poolCidrs ?? [])].some((of) => prefixCovers(of, p)))
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
 * Gives each node without pod CIDRs one block of each family, the lowest free one of the first pool that is for the node and has
 * one, in the nodes' order. A node is given all families that there are pools of, or none. The same input gives the same output.
 */
export function carveNodeCidrs(pools: readonly ClusterPool[], nodes: readonly CarveNode[]): Carving {
  const taken = nodes.flatMap((n) => n.podCidrs.map(rangeOfPrefix));
  const issues: Issue[] = [...overlapIssues(nodes), ...nodes.flatMap((n) => nodeIssues(pools, n))];
  const families = ([4, 6] as const).filter((f) => pools.some((p) => p.prefix.family === f));
  const supplies = pools.map((pool) => new Supply(pool, taken));
  const assigned = new Map<string, readonly Given[]>();
  for (const node of nodes) {
    if (node.podCidrs.length > 0 || families.length === 0) continue;
    const own = supplies.filter(({ pool }) => pool.isFor?.(node.labels ?? NO_LABELS) ?? true);
    const found = families.map((f) => own.find((s) => s.pool.prefix.family === f && s.look() !== undefined));
    const lacking = families.filter((_, i) => found[i] === undefined);
    if (lacking.length > 0) {
      const ofNode = own.map((s) => s.pool);
      issues.push(...lacking.map((f) => ({ path: node.name, message: lackingMessage(ofNode, node.name, f) })));
      continue;
    }
    const given = found.flatMap((s): Given[] => {
      const cidr = s?.look();
      return s === undefined || cidr === undefined ? [] : [{ cidr, pool: s.pool }];
    });
    for (const s of found) s?.take();
    assigned.set(node.name, given);
  }
  return { assigned, issues };
}

function lackingMessage(pools: readonly ClusterPool[], node: string, family: Family): string {
  const full = pools.filter((p) => p.prefix.family === family);
  if (full.length === 0)
    return `No IPPool of IPv${family} selects node "${node}": without one it is given no CIDR of any family`;
  const parts = full.map((p) => {
    const blocks = 1n << BigInt(p.nodeLength - p.prefix.length);
    return `"${p.prefix.text}" (${blocks} blocks of /${p.nodeLength}, 0 free)`;
  });
  const remedy = full.some((p) => p.name !== undefined) ? "an IPPool" : "a cluster CIDR";
  return `No pod CIDR is left for node "${node}" in ${parts.join(", ")}: add ${remedy}`;
}
