/** What stands behind one port of a service, from all of its slices. */

import type { EndpointSlice, EndpointState } from "../model/endpoint-slice.ts";
import type { ServicePort } from "../model/service.ts";
import { type Addr, compareAddr, type Family } from "../net/addr.ts";

/** An address and port that could answer. */
export interface Backend {
  readonly addr: Addr;
  readonly port: number;
  /** IANA number. */
  readonly protocol: number;
  readonly state: EndpointState;
}

/** A backend's name: equal exactly for equal address, port and protocol. */
export function backendName(b: Pick<Backend, "addr" | "port" | "protocol">): string {
  return b.addr.family === 4 ? `${b.addr.text}:${b.port}/${b.protocol}` : `[${b.addr.text}]:${b.port}/${b.protocol}`;
}

/** Which of two reports about one endpoint counts, as it moves from one slice to another: what lets it answer. */
function rank({ isReady, isServing }: EndpointState): number {
  return isReady ? 2 : isServing ? 1 : 0;
}

function comparePlace(a: Backend, b: Backend): number {
  return compareAddr(a.addr, b.addr) || a.port - b.port;
}

/**
 * The endpoints of a service's port, each once, by their address. A slice's port belongs to the service's port of the same
 * name and protocol; of an endpoint's addresses the first counts (KEP-752), as with kube-proxy.
 */
export function backendsOf(port: ServicePort, family: Family, slices: readonly EndpointSlice[]): Backend[] {
  const found: Backend[] = [];
  for (const { ports, endpoints } of slices) {
    for (const p of ports) {
      if (p.port === undefined || p.name !== port.name || p.protocol !== port.protocol) continue;
      for (const { addr, state } of endpoints)
        if (addr.family === family) found.push({ addr, port: p.port, protocol: p.protocol, state });
    }
  }
  found.sort((a, b) => comparePlace(a, b) || rank(b.state) - rank(a.state));
  return found.filter((b, i) => {
    const before = found[i - 1];
    return before === undefined || comparePlace(before, b) !== 0;
  });
}
