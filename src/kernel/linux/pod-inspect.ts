/** Looks at a pod's side without changing it. */

import { NETLINK_ROUTE } from "../../net/netlink/constants.ts";
import type { PodLink, PodLinkSpec } from "../kernel.ts";
import { findLink, linkOf, listAddrs, listRoutes } from "./device-store.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { openPodNetns } from "./pod-link.ts";

/** See Kernel.inspectPodLink. Addresses of the kernel's own making (IPv6 link-local) are left out. */
export function inspectPodLink(netns: string, ifname: string): PodLink | undefined {
  using opened = openPodNetns(`look at "${ifname}" in "${netns}"`, netns);
  using socket = new NetlinkSocket(opened.fd, NETLINK_ROUTE);
  const message = findLink(socket, ifname);
  if (message === undefined) return undefined;
  const link = linkOf(message);
  if (link.mac === undefined) return undefined;
  return {
    ifindex: link.ifindex,
    hostIfindex: link.peerIfindex ?? 0,
    mac: link.mac,
    mtuBytes: link.mtuBytes,
    addrs: listAddrs(socket, ifname).filter((a) => !isLinkLocal(a.addr.bytes)),
    routes: listRoutes(socket, link.ifindex).filter((r) => r.protocol !== KERNEL_PROTOCOL),
    isUp: link.isUp,
  };
}

/**
 * Waits until both ends carry packets. The kernel notes that they are up and tells their queues later, from a thread of its
 * own; until then what is sent is dropped without a word. Asking for a link has it done at once (`linkwatch_sync_dev`).
 */
export function settlePodLink(
  node: NetlinkSocket,
  hostIfname: string,
  { netns, ifname }: Pick<PodLinkSpec, "netns" | "ifname">,
): void {
  using opened = openPodNetns(`look at "${ifname}" in "${netns}"`, netns);
  using socket = new NetlinkSocket(opened.fd, NETLINK_ROUTE);
  findLink(socket, ifname);
  findLink(node, hostIfname);
}

/** RTPROT_KERNEL: follows from an address. */
const KERNEL_PROTOCOL = 2;

/** fe80::/10 (RFC 4291 section 2.5.6). */
function isLinkLocal(bytes: Uint8Array): boolean {
  return bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
}
