/** Rows of the tables that answer "where does this address live" and "who may send through a tunnel". */

import type { Addr } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";

/** Bits of {@link IpcacheEntry.flags}; the programs test the same numbers. */
export const IPCACHE_FLAG = {
  /** In the cluster, or excluded from masquerading by configuration: keeps a pod's own source address. */
  noMasquerade: 1,
  /** An address of this node itself. */
  localNode: 2,
  /** An address of another node, its router address included. */
  remoteNode: 4,
  /** Part of a node's pod CIDR. */
  podCidr: 8,
} as const;

/** Node-local numbers of who an address is, until policies make finer ones. */
export const IDENTITY = { host: 1, remoteNode: 2, world: 3, pod: 4 } as const;

/** Where a prefix lies. The longest match of an address decides; no match means the world outside. */
export interface IpcacheEntry {
  readonly prefix: Prefix;
  readonly identity: number;
  /** Sum of {@link IPCACHE_FLAG} values. */
  readonly flags: number;
  /** Address of the node that the prefix is reached through; undefined: not through a tunnel. */
  readonly tunnel: Addr | undefined;
  /** Number of that node, 0 for none and for this node. */
  readonly nodeId: number;
}

/** An outer source address from which tunnelled packets are accepted. */
export interface NodeEntry {
  readonly addr: Addr;
  /** Packets from here must have inner sources whose ipcache entry carries the same number. 1 … 65535. */
  readonly nodeId: number;
}
