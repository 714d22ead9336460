/** Rows of the tables that answer "where does this address live" and "who may send through a tunnel". */

import type { Addr } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";

/** Where a prefix lies. The longest match of an address decides; no match means the world outside. */
export interface IpcacheEntry {
  readonly prefix: Prefix;
  /** Sum of `IpcacheFlag` values. */
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
