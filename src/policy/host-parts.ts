/**
 * The node itself as policies select it: one part for each device of the wire that has a host endpoint of its own, and one for
 * everything else (decision 55).
 */

import type { Node } from "../model/node.ts";
import type { CalicoHostEndpoint } from "../model/policy/calico-objects.ts";
import { type Addr, addrEqual } from "../net/addr.ts";
import type { Endpoint } from "./classes.ts";
import { calicoHostEndpointLabels } from "./dialects/calico-labels.ts";
import { type LabelViews, nodeFacts } from "./facts.ts";
import { isFailsafe } from "./failsafe.ts";
import { listChanges } from "./list-changes.ts";
import type { FullTier } from "./order.ts";
import { matchesPeer } from "./peer.ts";
import type { List } from "./pieces.ts";
import type { AddressFacts, Policy } from "./rule.ts";

/** A device that the node has to the wire. */
export interface HostDevice {
  readonly name: string;
  readonly ifindex: number;
  readonly addrs: readonly Addr[];
}

/** What policies of one device, or of all the others, select. */
export interface HostPart extends Endpoint {
  /** 0: all devices without a part of their own, the tunnel, and pods. */
  readonly ifindex: number;
}

/** The parts of a node, and which of its host endpoints are on none of them, with the reason. */
export interface HostParts {
  readonly parts: readonly HostPart[];
  readonly astray: readonly { readonly name: string; readonly reason: string }[];
}

/** Whether that is the key of a part of a node, of whatever time. */
export function isHostKey(key: string | undefined): boolean {
  return key?.startsWith("host ") === true;
}

/** "*" is for devices that nobody names; without a name the expected addresses tell. The first by name counts. */
function endpointOf(endpoints: readonly CalicoHostEndpoint[], device: HostDevice): CalicoHostEndpoint | undefined {
  const isAt = (e: CalicoHostEndpoint) =>
    e.interfaceName === "" && e.expectedIps.some((ip) => device.addrs.some((a) => addrEqual(a, ip)));
  return endpoints.find((e) => e.interfaceName === device.name) ?? endpoints.find(isAt);
}

function partOf(facts: AddressFacts, ifindex: number, endpoint: CalicoHostEndpoint | undefined): HostPart {
  const labels = new Map(facts.labels);
  if (endpoint === undefined) labels.delete("calico");
  else labels.set("calico", [calicoHostEndpointLabels(endpoint)]);
  const namedPorts = endpoint?.ports ?? [];
  return { key: `host ${ifindex}`, of: "nodes", ifindex, facts: { ...facts, labels, namedPorts } };
}

function whyAstray(endpoint: CalicoHostEndpoint, devices: readonly HostDevice[], isTaken: boolean): string {
  const names = devices.map((d) => `"${d.name}"`).join(", ");
  if (isTaken) return "another host endpoint stands for the same device, and comes first by name";
  if (endpoint.interfaceName !== "")
    return `"${endpoint.interfaceName}" is none of this node's devices to the wire, which are ${names}: nothing is enforced there. Name it in "devices"`;
  return `no device to the wire has any of its expectedIPs: nothing is enforced for it`;
}

/**
 * The parts of a node. The first is the one for everything else.
 * @param endpoints of all nodes, in any order
 * @param devices the node's devices to the wire
 */
export function hostParts(
  node: Node,
  endpoints: Iterable<CalicoHostEndpoint>,
  devices: readonly HostDevice[],
  views: LabelViews,
): HostParts {
  const [facts] = nodeFacts(node, true, views);
  if (facts === undefined) return { parts: [], astray: [] };
  const own = [...endpoints].filter((e) => e.node === node.name).sort((a, b) => (a.name < b.name ? -1 : 1));
  const rest = own.find((e) => e.interfaceName === "*");
  const used = new Set(rest === undefined ? [] : [rest]);
  const parts = [partOf(facts, 0, rest)];
  for (const device of devices) {
    const endpoint = endpointOf(own, device);
    if (endpoint === undefined) continue;
    used.add(endpoint);
    parts.push(partOf(facts, device.ifindex, endpoint));
  }
  const isTaken = (e: CalicoHostEndpoint) =>
    e.interfaceName === "*" || devices.some((d) => endpointOf([e], d) !== undefined);
  const astray = own
    .filter((e) => !used.has(e))
    .map((e) => ({ name: e.name, reason: whyAstray(e, devices, isTaken(e)) }));
  return { parts, astray };
}

/** Policies of nodes among all, kept from one look to the next: of ten thousand policies one changes at a time. */
export function createNodePolicies(): (ordered: readonly FullTier[]) => Iterable<Policy> {
  const found = new Set<Policy>();
  let last = new Map<string, List<Policy>>();
  return (ordered) => {
    const now = new Map(ordered.map((t) => [t.tier.name, t.policies]));
    for (const name of new Set([...last.keys(), ...now.keys()])) {
      const { added, removed } = listChanges(last.get(name) ?? [], now.get(name) ?? []);
      for (const policy of removed) found.delete(policy);
      for (const policy of added) if (policy.subject.of === "nodes" && !isFailsafe(policy)) found.add(policy);
    }
    last = now;
    return found;
  };
}

/** Those of the parts that some policy speaks of: the others are left alone. */
export function judgedParts(ordered: readonly FullTier[], parts: readonly HostPart[]): readonly HostPart[] {
  return partsUnder(createNodePolicies()(ordered), parts);
}

/** As {@link judgedParts}, given the policies of nodes. */
export function partsUnder(policies: Iterable<Policy>, parts: readonly HostPart[]): readonly HostPart[] {
  const ofNodes = [...policies];
  return parts.filter((part) => ofNodes.some((p) => matchesPeer(p.subject.is, part.facts)));
}
