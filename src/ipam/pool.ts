/** A pool: one prefix of addresses that this node gives to its pods, less what is reserved in it. */

import { addrFromBigint, addrToBigint, familyBits } from "../net/addr.ts";
import { type Prefix, prefixSize } from "../net/prefix.ts";
import { type AddrRange, rangeOf, rangeOfPrefix, rangeSize, subtractRanges } from "../net/range.ts";

/** Make it with {@link makePool}. */
export interface Pool {
  /** Stable name: figures, errors and the round-robin position go by it. */
  readonly name: string;
  readonly prefix: Prefix;
  /** Not given out automatically nor on request; the node's own addresses among them. */
  readonly reserved: readonly AddrRange[];
  /** What may be given out: ascending, disjoint. */
  readonly ranges: readonly AddrRange[];
}

/** How full a pool is. `usable = used + cooling + free`. */
export interface PoolFigures {
  readonly pool: string;
  readonly prefix: string;
  readonly usable: bigint;
  /** Leased to an attachment, pending and deleting ones included. */
  readonly used: bigint;
  /** Released a short while ago: given out only when nothing else is free. */
  readonly cooling: bigint;
  readonly free: bigint;
}

/**
 * Addresses that are never a pod's: the network's own (also IPv6's subnet-router anycast, RFC 4291 section 2.6.1), the
 * router's, and IPv4's directed broadcast, which too many programs refuse.
 */
function builtInReserved(p: Prefix): readonly AddrRange[] {
  const first = addrToBigint(p.addr);
  const size = prefixSize(p);
  const at = (n: bigint) => addrFromBigint(p.family, first + n);
  const head = rangeOf(at(0n), at(size > 1n ? 1n : 0n));
  if (p.family === 6 || familyBits(p.family) - p.length < 2) return [head];
  return [head, rangeOf(at(size - 1n), at(size - 1n))];
}

/** A pool of everything in the prefix but {@link builtInReserved} and what the operator reserves. */
export function makePool(name: string, prefix: Prefix, reserved: readonly AddrRange[] = []): Pool {
  const all = [...builtInReserved(prefix), ...reserved];
  return Object.freeze({ name, prefix, reserved: all, ranges: subtractRanges(rangeOfPrefix(prefix), all) });
}

/** How many addresses of the pool pods may have. */
export function poolUsable(pool: Pool): bigint {
  return pool.ranges.reduce((sum, r) => sum + rangeSize(r), 0n);
}
