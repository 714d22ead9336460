/** One call of the plugin: the environment and the network configuration, parsed and checked. */

import type { Addr } from "../net/addr.ts";
import type { Mac } from "../net/mac.ts";
import type { AddrRange } from "../net/range.ts";
import type { CniResult } from "./result.ts";
import type { CniVersion } from "./version.ts";

/** Operations of the specification. */
export type CniCommand = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** Kubernetes' names of the pod, from `CNI_ARGS`. */
export interface PodNames {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly uid: string | undefined;
}

/** An attachment that is still wanted (`cni.dev/valid-attachments`). */
export interface AttachmentRef {
  readonly containerId: string;
  readonly ifname: string;
}

/** A checked call of ADD, DEL or CHECK. */
export interface CniRequest {
  readonly version: CniVersion;
  /** Name of the network. */
  readonly network: string;
  /** `twill` or `loopback`. */
  readonly type: "twill" | "loopback";
  readonly containerId: string;
  readonly ifname: string;
  /** Empty only for DEL. */
  readonly netns: string;
  readonly pod: PodNames;
  readonly mac: Mac | undefined;
  readonly mtuBytes: number | undefined;
  readonly staticAddrs: readonly Addr[];
  readonly rangeSets: readonly (readonly AddrRange[])[];
  readonly prevResult: CniResult | undefined;
}
