/** What a leader needs of an API beyond following objects: a Lease to be the only one, nodes as they are now, and their CIDRs. */

import type { Node } from "../model/node.ts";
import type { Prefix } from "../net/prefix.ts";

/** A Lease (`coordination.k8s.io/v1`) as the API has it. */
export interface LeaseState {
  /** `metadata.resourceVersion`: another value means that somebody wrote. */
  readonly version: string;
  /** `""`: given up. */
  readonly holder: string;
  readonly durationSeconds: number;
  /** How often it went to another holder. */
  readonly transitions: number;
}

/** What to write into a Lease. */
export type LeaseWrite = Omit<LeaseState, "version">;

/** See the file's comment. All calls throw ClusterError. */
export interface LeaderApi extends Disposable {
  /** undefined: there is none yet. */
  readLease(signal: AbortSignal): Promise<LeaseState | undefined>;
  /**
   * Writes the Lease, provided that it still has the version (undefined: that there is none).
   * @returns its new state; undefined when somebody else was faster
   */
  writeLease(write: LeaseWrite, version: string | undefined, signal: AbortSignal): Promise<LeaseState | undefined>;
  /** All nodes as the API has them now, never from a cache. Objects that cannot be read are an error: none may be overlooked. */
  listNodes(signal: AbortSignal): Promise<readonly Node[]>;
  /**
   * Sets `spec.podCIDRs` of a node that has none; Kubernetes refuses to change them later.
   * @param pools of which they are, where they are of IPPools
   */
  setPodCidrs(node: string, cidrs: readonly Prefix[], pools: readonly Prefix[], signal: AbortSignal): Promise<void>;
}
