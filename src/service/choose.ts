/** Which backends a node lets answer: the rules of kube-proxy (`CategorizeEndpoints`; KEP-1669, KEP-2086, KEP-2433, KEP-4444). */

import type { EndpointState } from "../model/endpoint-slice.ts";
import type { Backend } from "./endpoints.ts";

/** Where a node is. */
export interface Place {
  readonly node: string;
  /** `""`: not said. */
  readonly zone: string;
}

/** How hints narrow a choice. */
export type Narrowing = "node" | "zone" | undefined;

/** Who answers. */
export interface Choice {
  /** For who asks under policy `Cluster`. */
  readonly cluster: readonly Backend[];
  /** Under policy `Local`: backends of this node. */
  readonly local: readonly Backend[];
  /** By what `cluster` is narrowed. */
  readonly narrowing: Narrowing;
  /** Somebody could answer on some node: under policy `Local`, packets are dropped where nobody is here, and refused where nobody is anywhere. */
  readonly hasAny: boolean;
}

const isReady = ({ state }: Backend) => state.isReady;
const isEnding = ({ state }: Backend) => !state.isReady && state.isServing && state.isTerminating;

/** Ready ones; where there are none, those that end but answer still (KEP-1669). */
function readyOrEnding(backends: readonly Backend[]): readonly Backend[] {
  const ready = backends.filter(isReady);
  return ready.length > 0 ? ready : backends.filter(isEnding);
}

/** Hints count when every ready endpoint has one and somebody is there for us: all or nothing (KEP-2433). */
function isHinted(ready: readonly Backend[], hints: (s: EndpointState) => readonly string[], us: string): boolean {
  return us !== "" && ready.every((b) => hints(b.state).length > 0) && ready.some((b) => hints(b.state).includes(us));
}

function narrow(ready: readonly Backend[], { node, zone }: Place): Narrowing {
  if (isHinted(ready, (s) => s.forNodes, node)) return "node";
  if (isHinted(ready, (s) => s.forZones, zone)) return "zone";
  return undefined;
}

/** See the file's comment. */
export function chooseBackends(backends: readonly Backend[], place: Place): Choice {
  const ready = backends.filter(isReady);
  const narrowing = narrow(ready, place);
  const near = (b: Backend) =>
    narrowing === "node"
      ? b.state.forNodes.includes(place.node)
      : narrowing === undefined || b.state.forZones.includes(place.zone);
  const cluster = ready.length > 0 ? ready.filter(near) : readyOrEnding(backends);
  return {
    cluster,
    local: readyOrEnding(backends.filter((b) => b.state.nodeName === place.node)),
    narrowing,
    hasAny: cluster.length > 0,
  };
}
