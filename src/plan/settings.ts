/** The part of a node's configuration that decides what stands in its kernel. */

import type { Prefix } from "../net/prefix.ts";

/** Inclusive range of ports. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Settings of the data plane, complete and valid. */
export interface NetworkSettings {
  /** Of both families; every node's pod CIDRs lie inside of them. */
  readonly clusterCidrs: readonly Prefix[];
  readonly tunnel: {
    /** UDP destination port, 1 … 65535. */
    readonly port: number;
    /** 1 … 16777215. */
    readonly vni: number;
    /** Packets of known flows may pass the tunnel's device. */
    readonly hasShortcut: boolean;
  };
  /** MTU of pods' devices; `auto`: the underlay's less what the tunnel adds. */
  readonly mtuBytes: number | "auto";
  /** Names of the underlay's devices, a `*` at the end matches any rest; `auto`: found by address and default route. */
  readonly devices: readonly string[] | "auto";
  readonly masquerade: {
    readonly isEnabled: boolean;
    /** Destinations that see pods' own addresses; cluster CIDRs and nodes always do. */
    readonly excludeCidrs: readonly Prefix[];
    readonly ports: PortRange;
  };
  /** What policy denies is answered: TCP by a reset, everything else by an ICMP error. */
  readonly rejectsDenied: boolean;
}
