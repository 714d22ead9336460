/** The node of the packet tests: its addresses and devices by name, and a network namespace that has them. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadAddon } from "../../src/kernel/linux/addon.ts";
import { awaitLocalRoutes } from "../fixture/local-routes.ts";

const CLONE_NEWNET = 0x4000_0000;

/** The node of the tests. Pod A's link is the device that TEST_RUN says packets come from (lo, index 1). */
export const NODE = {
  podA: { v4: "10.244.1.10", v6: "fd00:10:244:1::10", mac: "0a:58:00:00:00:10", ifindex: 1, flags: 0 },
  podB: { v4: "10.244.1.11", v6: "fd00:10:244:1::11", mac: "0a:58:00:00:00:11", ifindex: 101, flags: 0 },
  /** Its link is the far end of the pair that limits it. */
  podC: { v4: "10.244.1.12", v6: "fd00:10:244:1::12", mac: "0a:58:00:00:00:12", ifindex: 102, flags: 1 },
  router: { v4: "10.244.1.1", v6: "fd00:10:244:1::1" },
  node: { v4: "192.168.77.11", v6: "fd00:77::11" },
  /** An address that only the node's own kernel knows of; there is one only after makeUnderlay. */
  second: { v4: "203.0.113.7", v6: "2001:db8:113::7" },
  /** A pod on node 2, behind an IPv4 tunnel. */
  remote: { v4: "10.244.2.20", v6: "fd00:10:244:2::20" },
  remoteNode: { v4: "192.168.77.12", v6: "fd00:77::12" },
  /** A pod on node 3, behind an IPv6 tunnel. */
  far: { v4: "10.244.3.20", v6: "fd00:10:244:3::20" },
  farNode: "fd00:77::13",
  outside: { v4: "198.51.100.10", v6: "2001:db8:51::10" },
  /** The underlay's device, and node 2's address on it; there are such only after makeUnderlay. */
  wire: 301,
  wireMac: "02:00:00:00:77:11",
  remoteNodeMac: "02:00:00:00:77:12",
  twill0: 201,
  twill1: 202,
  tunnel: 203,
  vni: 7,
  tunnelMtu: 1450,
  natPorts: { first: 10_240, last: 29_999 },
} as const;

/** Moves the test's thread into an empty network namespace: device 1 is an idle loopback, and no socket of ours is near. */
export function enterEmptyNetns(): void {
  loadAddon().unshare(CLONE_NEWNET);
}

/** Gives the namespace what programs look up routes for: devices, forwarding, a way to node 2 and by it to the outside. */
export function makeUnderlay(): void {
  const ip = (line: string) => execFileSync("ip", line.split(" "), { stdio: "pipe" });
  ip(`link add twill0 index ${NODE.twill0} type veth peer name twill1 index ${NODE.twill1}`);
  ip(`link add eth0 index ${NODE.wire} address ${NODE.wireMac} type veth peer name wire`);
  for (const device of ["twill0", "twill1", "eth0", "wire"]) ip(`link set ${device} up`);
  ip(`addr add ${NODE.node.v4}/24 dev eth0`);
  ip(`neigh add ${NODE.remoteNode.v4} lladdr ${NODE.remoteNodeMac} dev eth0 nud permanent`);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  ip(`-6 addr add ${NODE.node.v6}/64 dev eth0 nodad`);
  ip(`addr add ${NODE.second.v4}/32 dev eth0`);
  ip(`-6 addr add ${NODE.second.v6}/128 dev eth0 nodad`);
  awaitLocalRoutes([NODE.node.v6, NODE.second.v6]);
  ip(`-6 neigh add ${NODE.remoteNode.v6} lladdr ${NODE.remoteNodeMac} dev eth0 nud permanent`);
  ip(`route add ${NODE.outside.v4}/32 via ${NODE.remoteNode.v4}`);
  ip(`-6 route add ${NODE.outside.v6}/128 via ${NODE.remoteNode.v6}`);
}
