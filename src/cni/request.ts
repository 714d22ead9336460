/** A checked call of the plugin: what the operations work on. */

import type { Bandwidth, HostPort } from "../model/endpoint.ts";
import type { Addr } from "../net/addr.ts";
import type { Mac } from "../net/mac.ts";
import type { AddrRange } from "../net/range.ts";
import type { PodNames } from "./args.ts";
import type { CniDns, CniResult } from "./result.ts";
import type { CniVersion } from "./version.ts";

/** Values of `type`: one binary serves both. */
export type PluginType = "twill" | "loopback";

/** What every network configuration has. */
export interface NetworkRef {
  readonly version: CniVersion;
  /** Name of the network. */
  readonly network: string;
  readonly type: PluginType;
}

/** An attachment by the two names that a runtime knows it by. */
export interface AttachmentRef {
  readonly containerId: string;
  readonly ifname: string;
}

/** A call of ADD, DEL or CHECK. For DEL everything but the names is as good as could be read. */
export interface CniRequest extends NetworkRef, AttachmentRef {
  /** Path of the namespace; empty only for DEL. */
  readonly netns: string;
  readonly pod: PodNames;
  readonly mac: Mac | undefined;
  /** Undefined: the node's. */
  readonly mtuBytes: number | undefined;
  readonly staticAddrs: readonly Addr[];
  readonly rangeSets: readonly (readonly AddrRange[])[];
  /** Limit of what goes to the pod. */
  readonly download: Bandwidth | undefined;
  /** Limit of what comes from it. */
  readonly upload: Bandwidth | undefined;
  readonly hostPorts: readonly HostPort[];
  /** Resolver settings for the result. */
  readonly dns: CniDns;
  readonly prevResult: CniResult | undefined;
}

/** One call, by command. */
export type CniCall =
  | { readonly kind: "add" | "del" | "check"; readonly request: CniRequest }
  | { readonly kind: "gc"; readonly network: NetworkRef; readonly valid: readonly AttachmentRef[] }
  | { readonly kind: "status"; readonly network: NetworkRef }
  | { readonly kind: "version"; readonly asked: string | undefined };
