/** What load balancers outside of the cluster ask each node about services with traffic policy `Local`: `healthCheckNodePort`. */

import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Service } from "../model/service.ts";
import type { Family } from "../net/addr.ts";

/** What a node answers for one service. */
export interface LocalHealth {
  /** Port of the node. */
  readonly port: number;
  readonly namespace: string;
  readonly name: string;
  /** Ready endpoints of this node; one with an address of each family counts once. */
  readonly localEndpoints: number;
}

/** undefined: nobody is to ask about it. */
export function localHealthOf(s: Service, slices: readonly EndpointSlice[], node: string): LocalHealth | undefined {
  if (s.type !== "LoadBalancer" || !s.isOutsideLocal || s.healthCheckNodePort === undefined) return undefined;
  const ready = slices
    .flatMap((slice) => slice.endpoints)
    .filter((e) => e.state.nodeName === node && e.state.isReady)
    .map((e) => e.addr);
  // Each family's addresses once. The families have the same pods behind them: the larger number is how many those are.
  const count = (family: Family) => new Set(ready.filter((a) => a.family === family).map((a) => a.text)).size;
  return {
    port: s.healthCheckNodePort,
    namespace: s.namespace,
    name: s.name,
    localEndpoints: Math.max(count(4), count(6)),
  };
}
