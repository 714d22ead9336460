/** Refusals of an allocation. */

import type { PoolFigures } from "./pool.ts";

/** Why there is no address. */
export type IpamError =
  /** Nothing to give out of: the node has no pod CIDR (yet) of a family that was asked for. */
  | { readonly kind: "no-pool"; readonly message: string }
  | { readonly kind: "exhausted"; readonly message: string; readonly figures: readonly PoolFigures[] }
  /** The address asked for belongs to another attachment. */
  | { readonly kind: "in-use"; readonly message: string; readonly holder: number }
  /** The address or range asked for cannot be had here at all: outside the pools, reserved, two of one family. */
  | { readonly kind: "not-allowed"; readonly message: string };

/** `"10.244.1.0/24" (253 usable: 253 in use, 0 cooling down, 0 free)`. */
export function formatFigures(f: PoolFigures): string {
  return `"${f.pool}" (${f.usable} usable: ${f.used} in use, ${f.cooling} cooling down, ${f.free} free)`;
}
