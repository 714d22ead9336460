/**
 * The rows of the desired tables: everything that Twill wants to stand in the kernel of one node, as data.
 *
 * A plan makes rows from a snapshot of the cluster and the node's ledger; the reconciler compares them with what the
 * kernel shows and applies the difference. Nothing here knows how.
 */

import type { Addr } from "../net/addr.ts";
import type { Mac } from "../net/mac.ts";
import type { InterfaceAddr, Prefix } from "../net/prefix.ts";

/** The pair `twill0`/`twill1` through which the node's own stack and the pods meet. Both ends in the node's namespace. */
export interface VethPairRow {
  readonly kind: "veth";
  readonly name: string;
  readonly mac: Mac;
  readonly peer: string;
  readonly peerMac: Mac;
  readonly mtuBytes: number;
}

/** An external-mode ("collect metadata") VXLAN device: VNI and remote address come from the programs. */
export interface VxlanRow {
  readonly kind: "vxlan";
  readonly name: string;
  readonly mac: Mac;
  /** UDP destination port. */
  readonly port: number;
  readonly mtuBytes: number;
}

/** A device that Twill makes; always up, never with ARP or IPv6 autoconfiguration. */
export type LinkRow = VethPairRow | VxlanRow;

/** An address on a device of Twill's; no duplicate address detection. */
export interface AddrRow {
  readonly link: string;
  readonly address: InterfaceAddr;
}

/** A route in the main table through a device of Twill's, without gateway. */
export interface RouteRow {
  readonly link: string;
  readonly dst: Prefix;
  readonly src: Addr;
  readonly mtuBytes: number;
}

/** A token bucket filter as the root of a device's egress (tc-tbf(8)). */
export interface QdiscRow {
  readonly link: string;
  /** Bytes a second, 1 to 2^53 - 1. */
  readonly rateBytes: number;
  /** Bytes that pass at once after a pause, 1 to 2^32 - 1. */
  readonly burstBytes: number;
  /** Bytes that may wait, 1 to 2^32 - 1. */
  readonly limitBytes: number;
}

/** A kernel setting of the node's namespace; `name` as below `/proc/sys`, with slashes. */
export interface SysctlRow {
  readonly name: string;
  readonly value: string;
}

/** One of Twill's programs on a device. */
export interface AttachRow {
  readonly link: string;
  readonly direction: "ingress" | "egress";
  /** Name of the program in the object, as `from_pod`. */
  readonly program: string;
  /**
   * "clsact": as a filter, which is there at once, while a tcx link waits for a grace period of the kernel's RCU (some
   * 15 ms). It takes the place in which another might want an ingress qdisc. undefined: as the kernel does best.
   */
  readonly by?: "clsact" | undefined;
}

/** Where a program can be asked about a socket of a control group, as bpftool calls it. */
export const SOCKET_HOOKS = [
  "connect4",
  "connect6",
  "sendmsg4",
  "sendmsg6",
  "recvmsg4",
  "recvmsg6",
  "getpeername4",
  "getpeername6",
] as const;
export type SocketHook = (typeof SOCKET_HOOKS)[number];

/** A directory of a cgroup2 file system. */
export interface ControlGroup {
  readonly path: string;
  /** The kernel's number of it; another one when the directory was made anew. */
  readonly id: number;
}

/** One of Twill's programs on a control group, beside those of others: asked about sockets made by any process below it. */
export interface SocketHookRow {
  readonly hook: SocketHook;
  /** Name of the program in the object, as `sock_connect4`. */
  readonly program: string;
  readonly group: ControlGroup;
}

/** An entry of a BPF map; both sides as encoded by the generated codecs. */
export interface MapRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** All that is wanted on one node. Map tables are keyed by the map's name; a map that is not named is not managed. */
export interface NodeTables {
  readonly links: readonly LinkRow[];
  readonly addrs: readonly AddrRow[];
  readonly routes: readonly RouteRow[];
  readonly sysctls: readonly SysctlRow[];
  readonly qdiscs: readonly QdiscRow[];
  readonly attachments: readonly AttachRow[];
  readonly socketHooks: readonly SocketHookRow[];
  readonly maps: ReadonlyMap<string, readonly MapRow[]>;
}
