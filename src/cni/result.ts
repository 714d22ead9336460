/** The result of ADD in its newest form (specification 1.1.0, section 5, "ADD Success"). */

import type { Addr } from "../net/addr.ts";
import type { InterfaceAddr } from "../net/prefix.ts";

/** An interface that a plugin made. */
export interface CniInterface {
  readonly name: string;
  readonly mac: string | undefined;
  readonly mtuBytes: number | undefined;
  /** Path of the namespace; undefined for an interface of the node. */
  readonly sandbox: string | undefined;
  readonly socketPath: string | undefined;
  readonly pciId: string | undefined;
}

/** An address that a plugin assigned. */
export interface CniIp {
  readonly address: InterfaceAddr;
  readonly gateway: Addr | undefined;
  /** Index into {@link CniResult.interfaces}. */
  readonly interfaceIndex: number | undefined;
}

/** A route in the container. */
export interface CniRoute {
  readonly dst: InterfaceAddr;
  readonly gw: Addr | undefined;
  readonly mtuBytes: number | undefined;
  readonly advmss: number | undefined;
  readonly priority: number | undefined;
  readonly table: number | undefined;
  readonly scope: number | undefined;
}

/** Resolver settings, passed through and never used by Twill. */
export interface CniDns {
  readonly nameservers: readonly string[];
  readonly domain: string | undefined;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** What ADD answers. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}
