/**
 * Who tells the network where a load balancer's address is: one node for each address, and who follows when that is gone. Every node
 * computes the same order from the same objects, by rendezvous hashing (Thaler and Ravishankar, 1998): a node that comes or goes
 * moves its own addresses only.
 */

import { hash32 } from "../../base/hash.ts";
import type { EndpointSlice } from "../../model/endpoint-slice.ts";
import type { Node } from "../../model/node.ts";
import type { Service } from "../../model/service.ts";
import type { Addr } from "../../net/addr.ts";
import { isServed } from "./wish.ts";

/** An address with the nodes that may announce it, the first of them does. */
export interface Announcement {
  readonly addr: Addr;
  readonly nodes: readonly string[];
}

/** The one that announces and two that stand by: each of these asks the network after it. */
const NODES_MAX = 3;

const EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers";

function order(addr: Addr, names: readonly string[]): string[] {
  const weighed = names.map((name) => ({ name, weight: hash32(`${addr.text} ${name}`) }));
  weighed.sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1));
  return weighed.slice(0, NODES_MAX).map((w) => w.name);
}

/** Nodes that have a backend which answers. */
function nodesOf(slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const answering = slices.flatMap((s) => s.endpoints).filter((e) => e.state.isReady || e.state.isServing);
  return new Set(answering.map((e) => e.state.nodeName));
}

/**
 * All addresses that Twill's services of type LoadBalancer have.
 * @param slicesOf by `namespace/name`
 */
export function planAnnouncements(
  services: Iterable<Service>,
  slicesOf: (name: string) => readonly EndpointSlice[],
  nodes: Iterable<Node>,
): readonly Announcement[] {
  const candidates = [...nodes].filter((n) => n.labels.get(EXCLUDED) === undefined).map((n) => n.name);
  const found = new Map<string, Announcement>();
  for (const s of services) {
    if (!isServed(s)) continue;
    for (const addr of s.loadBalancerIps) {
      const local = s.isOutsideLocal ? nodesOf(slicesOf(`${s.namespace}/${s.name}`)) : undefined;
      const able = local === undefined ? candidates : candidates.filter((name) => local.has(name));
      if (!found.has(addr.text)) found.set(addr.text, { addr, nodes: order(addr, able) });
    }
  }
  return [...found.values()];
}
