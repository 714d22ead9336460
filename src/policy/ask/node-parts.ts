/**
 * Which of a node's parts a flow is judged by (decision 55). A question knows no devices: those that host endpoints name are taken to be there,
 * and the node's own addresses to be on one more.
 */

import type { Node } from "../../model/node.ts";
import type { CalicoHostEndpoint } from "../../model/policy/calico-objects.ts";
import type { LabelViews } from "../facts.ts";
import { type HostDevice, type HostPart, hostParts, judgedParts } from "../host-parts.ts";
import type { OrderedTier } from "../order.ts";

/** The parts of one node that some policy speaks of. */
export interface NodeParts {
  /** What is exchanged with the wire. */
  readonly wire: HostPart | undefined;
  /** What is exchanged with pods. */
  readonly pods: HostPart | undefined;
}

/**
 * The parts of a node. Where host endpoints name several devices, the first by name is taken for the one to the wire.
 * @param endpoints of all nodes
 */
export function nodeParts(
  node: Node,
  endpoints: Iterable<CalicoHostEndpoint>,
  views: LabelViews,
  ordered: readonly OrderedTier[],
): NodeParts {
  const own = [...endpoints].filter((e) => e.node === node.name);
  const names = [...new Set(own.map((e) => e.interfaceName).filter((n) => n !== "" && n !== "*"))].sort();
  const devices: HostDevice[] = [
    ...names.map((name, i) => ({ name, ifindex: i + 1, addrs: [] })),
    { name: "the node's addresses", ifindex: names.length + 1, addrs: [...node.internalIps, ...node.externalIps] },
  ];
  const { parts } = hostParts(node, own, devices, views);
  const judged = judgedParts(ordered, parts);
  const [rest, device] = parts;
  const ofWire = device ?? rest;
  return { wire: judged.find((p) => p === ofWire), pods: judged.find((p) => p === rest) };
}
