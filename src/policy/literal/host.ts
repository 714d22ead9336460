/**
 * What is said of a node's own end of a flow, as the documentation of host endpoints and host policies words it, and slow. It
 * shares no code with what translates and compiles policies: a test holds one against the other.
 */

import type { Node } from "../../model/node.ts";
import type { CalicoHostEndpoint } from "../../model/policy/calico-objects.ts";
import { calicoSelectsHost } from "./calico.ts";
import { type Flow, podAt } from "./flow.ts";
import { nodeHas } from "./kubernetes.ts";
import { type CiliumSay, judgeTiers, type Tiers } from "./tiers.ts";

/** Nodes, and who speaks of them. */
export interface LiteralHosts extends Tiers {
  /** For all interfaces; at most one of a node. */
  readonly hostEndpoints: readonly CalicoHostEndpoint[];
  /** What Cilium's host policies say, and whether any is about the node. */
  ciliumOf(flow: Flow, node: Node, direction: "ingress" | "egress"): CiliumSay & { readonly isSelected: boolean };
}

/** Calico's defaults of FailsafeInboundHostPorts and FailsafeOutboundHostPorts. */
const FAILSAFE = {
  ingress: { 6: [22, 179, 2379, 2380, 5473, 6443, 6666, 6667], 17: [68] },
  egress: { 6: [179, 2379, 2380, 5473, 6443, 6666, 6667], 17: [53, 67] },
} as const;

function isFailsafe(flow: Flow, direction: "ingress" | "egress"): boolean {
  if (flow.protocol !== 6 && flow.protocol !== 17) return false;
  return (FAILSAFE[direction][flow.protocol] as readonly number[]).includes(flow.port);
}

/** The node at an address. */
export function nodeAt(hosts: LiteralHosts, a: Flow["from"]): Node | undefined {
  if (podAt(hosts.cluster, a) !== undefined) return undefined;
  return hosts.cluster.nodes.find((n) => nodeHas(n, a));
}

/** Whether the node lets the flow's first packet through at its own end. */
export function hostAllows(hosts: LiteralHosts, flow: Flow, node: Node, direction: "ingress" | "egress"): boolean {
  const endpoint = hosts.hostEndpoints.find((e) => e.node === node.name);
  const cilium = hosts.ciliumOf(flow, node, direction);
  if (endpoint === undefined && !cilium.isSelected) return true;
  // What a node sends to its own pods passes.
  if (direction === "egress" && podAt(hosts.cluster, flow.to)?.nodeName === node.name) return true;
  if (isFailsafe(flow, direction)) return true;
  const says = judgeTiers(hosts, flow, direction, {
    selects: (p) => endpoint !== undefined && calicoSelectsHost(p, endpoint, direction),
    cilium: () => cilium,
    kubernetes: "not-isolated",
  });
  if (says !== "next") return says === "allow";
  // "If a host endpoint has no policies and no profiles, all traffic is denied".
  return endpoint === undefined || endpoint.profiles.includes("projectcalico-default-allow");
}
