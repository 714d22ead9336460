/** Which addresses an attachment gets. Pure: reads an {@link Occupancy}, returns a choice, writes nothing. */

import { err, type Result } from "../base/result.ts";
import type { Addr } from "../net/addr.ts";
import type { AddrRange } from "../net/range.ts";
import type { IpamError } from "./error.ts";
import type { Occupancy } from "./occupancy.ts";
import type { Pool } from "./pool.ts";

/** What an attachment wants. */
export interface AddressRequest {
  /** The node's pools. Without `ranges` and `statics`, one address of each family that has a pool is given. */
  readonly pools: readonly Pool[];
  /** Addresses asked for by name, at most one of a family; other families are served from the pools. */
  readonly statics: readonly Addr[];
  /** Sets of ranges, each of one family: one address out of each set instead of that family's pools. */
  readonly rangeSets: readonly (readonly AddrRange[])[];
}

/** One address given. */
export interface Allocation {
  readonly addr: Addr;
  readonly pool: string;
  /** False for a static one: then the pool's round-robin position stays. */
  readonly movesCursor: boolean;
  /** It was taken before its cool-down ended, since nothing else was free. */
  readonly isEarlyReuse: boolean;
}

/** Chooses addresses, IPv4 first. */
export function allocate(_request: AddressRequest, _occupancy: Occupancy): Result<readonly Allocation[], IpamError> {
  return err({ kind: "no-pool", message: "Not yet" });
}
