/** What the attachment operations work on: one node's kernel, memory and settings. The same in the agent and offline. */

import type { Result } from "../../base/result.ts";
import type { Pool } from "../../ipam/pool.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import type { Mac } from "../../net/mac.ts";
import type { EndpointClasses } from "../../policy/table.ts";

/** Settings of a node that an attachment needs; plain data that survives in the offline file. */
export interface NodeSettings {
  /** Of each family usually one; empty until the node has its pod CIDRs. */
  readonly pools: readonly Pool[];
  /** Of pods' devices. */
  readonly mtuBytes: number;
}

/** Why the node cannot serve pods well. */
export interface NodeProblem {
  readonly reason: string;
  /** Pods that are attached already suffer too (STATUS 51 rather than 50). */
  readonly isFeltByPods: boolean;
}

/** What policy makes of an attachment. */
export interface PolicyGate {
  /**
   * Brings the kernel's policy up to date for an attachment that is being made. An error says, in words that follow "not
   * yet:", why nothing may pass to or from it.
   */
  admit(e: Endpoint): Result<EndpointClasses, string>;
}

/** Everything that attach, detach, check, collect, sweep and status take. */
export interface NodeContext {
  readonly kernel: Kernel;
  readonly ledger: Ledger;
  /** Read anew for each operation: pod CIDRs may come late. */
  readonly settings: () => NodeSettings;
  /** Why a pod that is attached now would have no working network; empty when the data plane is complete. */
  readonly problems: () => readonly NodeProblem[];
  readonly policy: PolicyGate;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A random unicast, locally administered address. */
  readonly newMac: () => Mac;
  /** A pod's host ports are closed: for who knows what still leads there. */
  readonly hostPortsClosed?: () => void;
  /** An agent died while it served this very call: an attachment of the same namespace is its, and is made anew. */
  readonly isRepeated?: boolean;
}
