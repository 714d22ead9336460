/** A pod's attachment to this node, as the node remembers it. */

import type { Addr } from "../net/addr.ts";
import type { Mac } from "../net/mac.ts";

/**
 * Where an attachment stands.
 * - `pending`: its addresses are leased and its devices may exist in part; left by a crash, it is torn down
 * - `ready`: complete, answered to the runtime
 * - `deleting`: being torn down; left by a crash, tearing down goes on
 */
export type EndpointState = "pending" | "ready" | "deleting";

/** One interface of one container. */
export interface Endpoint {
  /**
   * Unique on this node for the life of the boot, rising, never used again: the generation of everything that this
   * attachment holds. A delete that names an older id touches nothing of a newer one.
   */
  readonly id: number;
  /** Name of the CNI network that asked. */
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  /** As the runtime gave it. */
  readonly netnsPath: string;
  /** `dev:ino` of the namespace that the path led to. */
  readonly netnsId: string;
  readonly hostIfname: string;
  /** Index of the host end in the node's namespace; undefined while pending. */
  readonly hostIfindex: number | undefined;
  /** At most one of each family; IPv4 first. */
  readonly addrs: readonly Addr[];
  readonly mac: Mac;
  readonly mtuBytes: number;
  /** A queueing discipline on the host end limits what goes to the pod. */
  readonly isDownloadLimited: boolean;
  /** One at its ingress limits what comes from the pod. */
  readonly isUploadLimited: boolean;
  /** Kubernetes' names; undefined where the runtime gave none. */
  readonly podNamespace: string | undefined;
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
  readonly state: EndpointState;
  /** Wall clock, milliseconds since 1970. */
  readonly createdAtMs: number;
}
