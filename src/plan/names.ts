/**
 * The names and numbers by which Twill knows its own things in a kernel. Whoever prunes asks here what is ours; nothing
 * outside of these names is ever changed or removed.
 */

import { type Addr, addr } from "../net/addr.ts";
import { type Mac, mac } from "../net/mac.ts";

/** The node's side of the pair between its stack and the pods: carries the router addresses and the cluster's routes. */
export const HOST_LINK = "twill0";
/** The pods' side of that pair: a pipe with a program at its ingress, without addresses. */
export const HOST_PEER_LINK = "twill1";
/** The external-mode VXLAN device. */
export const VXLAN_LINK = "twill_vx";
/** First characters of the host end of every pod's veth. */
export const POD_LINK_PREFIX = "twl";

/**
 * First characters of the pair that stands between the host end of a limited pod and everything else: what the pod sends leaves by
 * the first, whose egress limits the upload, and comes in by the second, whose egress limits the download.
 */
const SHAPER_PREFIX = "tws";
const SHAPER_PEER_PREFIX = "twt";

/** MAC address of {@link HOST_LINK}, of every pod's host end and of the pods' gateway: one next hop, wherever it is asked. */
export const GATEWAY_MAC: Mac = mac("ee:ee:ee:ee:ee:ee");
/** MAC address of {@link HOST_PEER_LINK}. */
export const HOST_PEER_MAC: Mac = mac("ee:ee:ee:ee:ee:e1");
/** MAC address of {@link VXLAN_LINK} on every node: inner frames always fit, without ARP or FDB between nodes. */
export const VXLAN_MAC: Mac = mac("ee:ee:ee:ee:ee:e2");

/** Next hop of every pod's IPv4 default route. */
export const GATEWAY_V4: Addr = addr("169.254.1.1");
/** Next hop of every pod's IPv6 default route. */
export const GATEWAY_V6: Addr = addr("fe80::1");

/** `proto` of Twill's routes: only routes that carry it are ever removed. */
export const ROUTE_PROTOCOL = 87;

/** Number of the main routing table. */
export const MAIN_TABLE = 254;

/** Bytes that VXLAN adds to an inner packet by the family of the outer one: IP, UDP, VXLAN and the inner Ethernet header. */
export const VXLAN_OVERHEAD_BYTES = { 4: 50, 6: 70 } as const;

/** IPv6 does not work below this link MTU (RFC 8200 section 5). */
export const MIN_MTU_BYTES = 1280;

/** Whether a device of the node's namespace was made by Twill for the node itself (not for a pod). */
export function isNodeLink(name: string): boolean {
  return name === HOST_LINK || name === HOST_PEER_LINK || name === VXLAN_LINK;
}

/** Whether a device of the node's namespace is the host end of a pod's veth: `twl` and 12 hexadecimal digits. */
export function isPodLink(name: string): boolean {
  return /^twl[0-9a-f]{12}$/.test(name);
}

/** Whether a device is the pod's side of a pair that limits a pod. */
export function isShaperLink(name: string): boolean {
  return /^tws[0-9a-f]{12}$/.test(name);
}

/** Whether a device is the node's side of such a pair. */
export function isShaperPeer(name: string): boolean {
  return /^twt[0-9a-f]{12}$/.test(name);
}

/** Whether a device belongs to a pod, in whatever way. */
export function isPodDevice(name: string): boolean {
  return isPodLink(name) || isShaperLink(name) || isShaperPeer(name);
}

/** Names of the pair that limits the pod with that host end. */
export function shaperNames(hostIfname: string): { readonly link: string; readonly peer: string } {
  const id = hostIfname.slice(POD_LINK_PREFIX.length);
  return { link: `${SHAPER_PREFIX}${id}`, peer: `${SHAPER_PEER_PREFIX}${id}` };
}
