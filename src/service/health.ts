/** What load balancers outside of the cluster ask each node about services with traffic policy `Local`: `healthCheckNodePort`. */

import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Service } from "../model/service.ts";

/** What a node answers for one service. */
export interface LocalHealth {
  /** Port of the node. */
  readonly port: number;
  readonly namespace: string;
  readonly name: string;
  /** Ready endpoints of this node, each address once. */
  readonly localEndpoints: number;
}

/** undefined: nobody is to ask about it. */
export function localHealthOf(s: Service, slices: readonly EndpointSlice[], node: string): LocalHealth | undefined {
  if (s.type !== "LoadBalancer" || !s.isOutsideLocal || s.healthCheckNodePort === undefined) return undefined;
  const ready = slices
    .flatMap((slice) => slice.endpoints)
    .filter((e) => e.state.nodeName === node && e.state.isReady)
    .map((e) => e.addr.text);
  return {
    port: s.healthCheckNodePort,
    namespace: s.namespace,
    name: s.name,
    localEndpoints: new Set(ready).size,
  };
}
