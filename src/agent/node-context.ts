/** What the attachment operations work on: one node's kernel, memory and settings. The same in the agent and offline. */

import type { Pool } from "../ipam/pool.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Addr } from "../net/addr.ts";
import type { Mac } from "../net/mac.ts";

/** Settings of a node that an attachment needs; plain data that survives in the offline file. */
export interface NodeSettings {
  /** At most a few of each family; empty until the node has its pod CIDRs. */
  readonly pools: readonly Pool[];
  readonly mtuBytes: number;
  /** Next hops that pods see, by family. */
  readonly gateways: readonly Addr[];
  readonly hostMac: Mac;
}

/** Everything that attach, detach, check, collect and status take. */
export interface NodeContext {
  readonly kernel: Kernel;
  readonly ledger: Ledger;
  /** Read anew for each operation: pod CIDRs may come late. */
  readonly settings: () => NodeSettings;
  /** Reasons why a pod attached now would have no working network; empty when the data plane is complete. */
  readonly notReady: () => readonly string[];
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A random unicast, locally administered address. */
  readonly newMac: () => Mac;
}
