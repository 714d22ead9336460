/** The address by which a node's own stack and its pods know each other. */

import type { Addr } from "../net/addr.ts";
import { nthAddr, type Prefix, prefixSize } from "../net/prefix.ts";

/** The node's own address in one of its pod CIDRs: the first one after the network's (`.1`, `::1`), or the only one. */
export function routerAddr(podCidr: Prefix): Addr {
  return nthAddr(podCidr, prefixSize(podCidr) > 1n ? 1n : 0n);
}
