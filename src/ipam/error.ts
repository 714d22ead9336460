/** Refusals of an allocation. */

import type { PoolFigures } from "./pool.ts";

/** Why there is no address. */
export type IpamError =
  /** Nothing to give out of: the node has no pod CIDR (yet). */
  | { readonly kind: "no-pool"; readonly message: string }
  | { readonly kind: "exhausted"; readonly message: string; readonly figures: readonly PoolFigures[] }
  /** The address asked for belongs to another attachment. */
  | { readonly kind: "in-use"; readonly message: string; readonly holder: number }
  /** The address or range asked for cannot be had here at all: outside the pools, reserved, two of one family. */
  | { readonly kind: "not-allowed"; readonly message: string };
