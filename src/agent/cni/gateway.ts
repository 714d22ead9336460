/** The next hop that every pod sees, and the route to it. */

import type { CniRoute } from "../../cni/result.ts";
import { type Addr, ANY_ADDR, type Family } from "../../net/addr.ts";
import { GATEWAY_V4, GATEWAY_V6 } from "../../plan/names.ts";

/** The pods' next hop. */
export function gatewayOf(family: Family): Addr {
  return family === 4 ? GATEWAY_V4 : GATEWAY_V6;
}

/** The pods' default route as results show it. */
export function defaultRoute(family: Family): CniRoute {
  return {
    dst: { addr: ANY_ADDR[family], length: 0 },
    gw: gatewayOf(family),
    mtuBytes: undefined,
    advmss: undefined,
    priority: undefined,
    table: undefined,
    scope: undefined,
  };
}
