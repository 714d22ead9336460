/** Reasons of events in words. */

import { METRIC_NAMES, Metric } from "../net/gen/bpf-maps.ts";
import { reasonName } from "./event.ts";

const WORDS: Readonly<Record<string, string>> = {
  not_configured: "the node's addresses are not known yet",
  not_ip: "neither IPv4, IPv6 nor ARP",
  vlan: "a VLAN tag on a pod's frame",
  malformed: "lengths or versions contradict each other",
  extension_headers: "more IPv6 extension headers than are looked through",
  fragment_unknown: "a fragment whose first fragment was not seen",
  source_spoofed: "the source address is not one of the pod's",
  mac_spoofed: "the source MAC is not the pod's",
  arp_spoofed: "ARP that claims somebody else's address or MAC",
  nd_spoofed: "neighbour discovery that only a router may send",
  wrong_mac: "the frame is not addressed to the gateway",
  link_local: "a link-local address beyond its link",
  no_endpoint: "no pod of this node has the address",
  no_route: "no node has the address",
  ttl: "hop limit used up",
  ct_full: "the table of flows is full",
  icmp_unrelated: "an ICMP error about no known flow",
  node_unknown: "tunnelled by an address that is no node's",
  wrong_vni: "tunnelled in another network",
  not_of_node: "the source does not belong to the node that sent it",
  no_tunnel_key: "without what the tunnel says of it",
  nat_full: "the table of translations is full",
  nat_no_port: "no free port to masquerade with",
  nat_protocol: "a protocol that cannot be masqueraded",
  rewrite: "the kernel refused to change the packet",
  policy: "denied by policy",
  tunnel_spoofed: "another node would take it for this node's tunnel",
  no_backend: "nobody is behind the service",
  service_source: "not from whom the service may be asked",
  service_full: "the table of services' flows is full",
  service_local: "nobody of this node is behind the service",
  service_clash: "the same addresses and ports as another flow's",
  service_flow: "an answer whose translation is gone",
  policy_logged: "a rule that logs",
  policy_staged: "staged policies would decide otherwise",
};

/** Reasons that the programs count without an event of their own. */
const SILENT: ReadonlySet<number> = new Set([Metric.dropRouterRedirect]);

/** Reasons that an event can have, as `--reason` takes them. */
export const EVENT_REASONS: readonly string[] = [...METRIC_NAMES.keys()]
  .filter((n) => n >= Metric.dropFirst || n === Metric.policyLogged || n === Metric.policyStaged)
  .filter((n) => !SILENT.has(n))
  .map(reasonName);

/** A reason in words; its name where there are none. */
export function reasonText(reason: string): string {
  return WORDS[reason] ?? reason.replaceAll("_", " ");
}
