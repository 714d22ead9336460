/** What a plan must know of the kernel as it stands: the things on a node that are not Twill's, and the numbers of those that are. */

import type { Addr } from "../net/addr.ts";
import type { InterfaceAddr, Prefix } from "../net/prefix.ts";

/** A device. */
export interface LinkFact {
  readonly name: string;
  readonly ifindex: number;
  readonly mtuBytes: number;
  readonly addrs: readonly InterfaceAddr[];
  /** UDP port of a VXLAN device. */
  readonly vxlanPort: number | undefined;
}

/** A route. */
export interface RouteFact {
  readonly dst: Prefix;
  readonly link: string;
  readonly table: number;
  /** Who made it, as `proto` of iproute2. */
  readonly protocol: number;
  readonly gateway: Addr | undefined;
}

/** One look at a node's kernel. */
export interface NodeFacts {
  readonly links: readonly LinkFact[];
  readonly routes: readonly RouteFact[];
  /** The kernel has IPv6 in this namespace. */
  readonly hasIpv6: boolean;
  /**
   * The kernel's firewall follows connections in this namespace (conntrack), as it does wherever a rule asks for their state:
   * kube-proxy's do.
   */
  readonly tracksConnections: boolean;
  /** Settings that a wanted value depends on, by name; a missing one is not there. */
  readonly sysctls: ReadonlyMap<string, string>;
}
