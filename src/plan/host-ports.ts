/** Ports of the node that lead to a pod: which they are, whose they are, and their entries in the kernel. */

import type { Endpoint, HostPort } from "../model/endpoint.ts";
import { type Addr, ANY_ADDR, addrEqual, addrFromBytes, type Family, socketText } from "../net/addr.ts";
import { encodeBackend, encodeServiceKey } from "../net/gen/bpf-maps.ts";
import type { MapRow } from "./rows.ts";

/** Name of the map that leads from a port of the node to a pod. */
export const HOST_PORTS_MAP = "host_ports";

type Owner = Pick<Endpoint, "addrs" | "hostPorts">;

function isAny(a: Addr): boolean {
  return addrEqual(a, ANY_ADDR[a.family]);
}

/** Whether the port is open at some address of that family. As with the reference plugin, 0.0.0.0 says nothing of IPv6. */
function isOf(p: HostPort, family: Family): boolean {
  return p.hostIp === undefined || p.hostIp.family === family;
}

/** Where a port is open, and the pod's address that it leads to there: at most one pair of each family. */
export function hostPortAddrs(e: Pick<Endpoint, "addrs">, p: HostPort): readonly (readonly [at: Addr, pod: Addr])[] {
  return e.addrs
    .filter((a) => isOf(p, a.family))
    .map((pod) => [p.hostIp === undefined || isAny(p.hostIp) ? ANY_ADDR[pod.family] : p.hostIp, pod]);
}

/** The key of the same port at all addresses. @param addr 16 bytes, of the family that is meant */
export function anyHostPortKey(asked: {
  readonly addr: Uint8Array;
  readonly port: number;
  readonly protocol: number;
}): Uint8Array {
  return encodeServiceKey({ ...asked, addr: ANY_ADDR[addrFromBytes(asked.addr).family].bytes });
}

/** Entries of {@link HOST_PORTS_MAP}: one for each port and address of the pod in the port's family. */
export function hostPortRows(e: Owner): readonly MapRow[] {
  return e.hostPorts.flatMap((p) =>
    hostPortAddrs(e, p).map(([at, pod]) => ({
      key: encodeServiceKey({ addr: at.bytes, port: p.hostPort, protocol: p.protocol }),
      value: encodeBackend({ addr: pod.bytes, port: p.containerPort, protocol: p.protocol }),
    })),
  );
}

/** Keys of {@link hostPortRows}. */
export function hostPortKeys(e: Owner): readonly Uint8Array[] {
  return hostPortRows(e).map((r) => r.key);
}

/** Whether a packet could be for both. Ports at all addresses meet those at each of their family. */
export function meets(a: HostPort, b: HostPort): boolean {
  if (a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false;
  if (a.hostIp === undefined || b.hostIp === undefined) return true;
  if (a.hostIp.family !== b.hostIp.family) return false;
  return isAny(a.hostIp) || isAny(b.hostIp) || a.hostIp.text === b.hostIp.text;
}

/** `192.0.2.1:80`; `*:80` at all addresses. */
export function hostPortAddress(p: HostPort): string {
  return p.hostIp === undefined ? `*:${p.hostPort}` : socketText(p.hostIp, p.hostPort);
}

/** A port that two would have. */
export interface PortConflict<T extends Owner> {
  /** Undefined: the same pod asks for it twice. */
  readonly owner: T | undefined;
  readonly wanted: HostPort;
  readonly taken: HostPort;
}

/** The first port of `wanted` that an attachment of `others` has, or that is there twice. */
export function findPortConflict<T extends Owner>(
  wanted: readonly HostPort[],
  others: readonly T[],
): PortConflict<T> | undefined {
  for (const [i, w] of wanted.entries()) {
    const twice = wanted.slice(0, i).find((p) => meets(p, w));
    if (twice !== undefined) return { owner: undefined, wanted: w, taken: twice };
    for (const owner of others) {
      const taken = owner.hostPorts.find((p) => meets(p, w));
      if (taken !== undefined) return { owner, wanted: w, taken };
    }
  }
  return undefined;
}
