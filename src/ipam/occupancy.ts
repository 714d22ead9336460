/** What an allocation must know about addresses that are in use. The ledger keeps this promise, tests keep it in memory. */

import type { Addr } from "../net/addr.ts";
import type { AddrRange } from "../net/range.ts";

/** State of one address. */
export type AddrUse =
  | { readonly kind: "free" }
  /** `endpoint` is the id of the attachment that holds it. */
  | { readonly kind: "held"; readonly endpoint: number }
  /** Released too short a while ago. */
  | { readonly kind: "cooling" };

/** A consistent view: nothing changes while an allocation reads it. */
export interface Occupancy {
  /** The address that the pool gave out last by itself. */
  cursor(pool: string): Addr | undefined;
  use(address: Addr): AddrUse;
  /** Held and cooling addresses inside the range as 16 bytes, ascending, without repeats; read only as far as needed. */
  taken(range: AddrRange): Iterable<Uint8Array>;
  /** Among the cooling addresses inside the range, the one released longest ago. */
  coolest(range: AddrRange): { readonly addr: Addr; readonly releasedAtMs: number } | undefined;
  /** How many addresses inside the range are held and how many are cooling. */
  count(range: AddrRange): { readonly held: number; readonly cooling: number };
}
