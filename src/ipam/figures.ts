/** How full pools are, for status, errors and metrics. */

import type { Occupancy } from "./occupancy.ts";
import { type Pool, type PoolFigures, poolUsable } from "./pool.ts";

/** Counts one pool. Addresses held in what became reserved later are not counted: they were usable once. */
export function poolFigures(pool: Pool, occupancy: Occupancy): PoolFigures {
  let used = 0;
  let cooling = 0;
  for (const range of pool.ranges) {
    const n = occupancy.count(range);
    used += n.held;
    cooling += n.cooling;
  }
  const usable = poolUsable(pool);
  return {
    pool: pool.name,
    prefix: pool.prefix.text,
    usable,
    used: BigInt(used),
    cooling: BigInt(cooling),
    free: usable - BigInt(used) - BigInt(cooling),
  };
}

/** `"10.244.1.0/24" (253 usable: 253 in use, 0 cooling down, 0 free)`. */
export function formatFigures(f: PoolFigures): string {
  return `"${f.pool}" (${f.usable} usable: ${f.used} in use, ${f.cooling} cooling down, ${f.free} free)`;
}
