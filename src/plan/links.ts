/** The node's own devices, their addresses and the routes that lead the stack to the pods. */

import type { Addr } from "../net/addr.ts";
import { hostPrefix, type Prefix } from "../net/prefix.ts";
import { GATEWAY_MAC, HOST_LINK, HOST_PEER_LINK, HOST_PEER_MAC, VXLAN_LINK, VXLAN_MAC } from "./names.ts";
import type { AddrRow, LinkRow, RouteRow } from "./rows.ts";

/** `twill0` and its peer, and the VXLAN device. */
export function planLinks(mtuBytes: number, vxlanPort: number): LinkRow[] {
  return [
    { kind: "veth", name: HOST_LINK, mac: GATEWAY_MAC, peer: HOST_PEER_LINK, peerMac: HOST_PEER_MAC, mtuBytes },
    { kind: "vxlan", name: VXLAN_LINK, mac: VXLAN_MAC, port: vxlanPort, mtuBytes },
  ];
}

/** The router addresses, as host addresses: they make no connected routes. */
export function planAddrs(routers: readonly Addr[]): AddrRow[] {
  return routers.map((a) => ({ link: HOST_LINK, address: { addr: a, length: hostPrefix(a).length } }));
}

/** The cluster's CIDRs through {@link HOST_LINK}, in each family that this node has a router address of. */
export function planRoutes(clusterCidrs: readonly Prefix[], routers: readonly Addr[], mtuBytes: number): RouteRow[] {
  return clusterCidrs.flatMap((dst) => {
    const src = routers.find((a) => a.family === dst.family);
    return src === undefined ? [] : [{ link: HOST_LINK, dst, src, mtuBytes }];
  });
}
