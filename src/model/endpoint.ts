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

/** A limit on one direction of a pod's traffic. */
export interface Bandwidth {
  /** Bits a second, at least 1. */
  readonly rateBits: number;
  /** Bits that pass at once after a pause; 0: what suits the rate. */
  readonly burstBits: number;
}

/** A port of the node that leads to one of the pod's. */
export interface HostPort {
  /** 1 to 65535. */
  readonly hostPort: number;
  /** 1 to 65535. */
  readonly containerPort: number;
  /** IP protocol: TCP 6, UDP 17 or SCTP 132. */
  readonly protocol: number;
  /** Of the node; 0.0.0.0 and :: are all of their family. undefined: all. */
  readonly hostIp: Addr | undefined;
}

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
  /** Index of the device by which programs see the pod: the host end, or of a limited pod the far end of its pair. */
  readonly entryIfindex: number | undefined;
  /** At most one of each family; IPv4 first. */
  readonly addrs: readonly Addr[];
  readonly mac: Mac;
  readonly mtuBytes: number;
  /** Limit of what goes to the pod; undefined: none. */
  readonly download: Bandwidth | undefined;
  /** Limit of what comes from it. */
  readonly upload: Bandwidth | undefined;
  readonly hostPorts: readonly HostPort[];
  /** Kubernetes' names; undefined where the runtime gave none. */
  readonly podNamespace: string | undefined;
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
  readonly state: EndpointState;
  /** Wall clock, milliseconds since 1970. */
  readonly createdAtMs: number;
}
