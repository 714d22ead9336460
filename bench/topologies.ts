/**
 * The ways between two pods that Twill is measured against, each built in namespaces of its own. Devices keep the
 * kernel's default queues and offloads; nothing filters or tracks packets on a peer's way, which favours the peers.
 */

import { run, type Sandbox } from "../test/fixture/sandbox.ts";

/** Two namespaces that reach each other. */
export interface Path {
  /** `twill` or the peer's name. */
  readonly subject: string;
  readonly scope: "same-node" | "cross-node.vxlan" | "cross-node.native";
  readonly clientNetns: string;
  readonly serverNetns: string;
  readonly serverAddress: string;
}

const PROXY_MAC = "ee:ee:ee:ee:ee:ee";

/** Two pods joined by one veth: the least that Linux can do. */
export function directVeth(box: Sandbox): Path {
  const client = box.netns("dv-c");
  const server = box.netns("dv-s");
  box.ip(client, [
    `link add eth0 type veth peer name eth0 netns ${server}`,
    "addr add 10.201.0.2/24 dev eth0",
    "link set eth0 up",
  ]);
  box.ip(server, ["addr add 10.201.0.3/24 dev eth0", "link set eth0 up"]);
  return path("direct-veth", "same-node", client, server, "10.201.0.3");
}

/** Two pods on one bridge, as the reference `bridge` plugin connects them. */
export function bridge(box: Sandbox): Path {
  const node = box.netns("br-n");
  const client = box.netns("br-c");
  const server = box.netns("br-s");
  box.ip(node, ["link add br0 type bridge", "link set br0 up"]);
  bridgePod(box, node, client, "10.202.0.2/24", 1500);
  bridgePod(box, node, server, "10.202.0.3/24", 1500);
  return path("bridge", "same-node", client, server, "10.202.0.3");
}

/** A path with what stands in between. */
export interface NodePath extends Path {
  /** Where packets are forwarded. */
  readonly nodeNetns: string;
  readonly clientAddress: string;
}

/**
 * Two pods with a /32 each behind one routing node, as the reference `ptp` plugin or Calico connect them.
 * @param name two lower-case letters or digits, for several of them in one sandbox
 */
export function routedSameNode(box: Sandbox, name = "rs"): NodePath {
  const node = box.netns(`${name}-n`);
  const client = box.netns(`${name}-c`);
  const server = box.netns(`${name}-s`);
  box.sysctl(node, { "net.ipv4.ip_forward": "1" });
  routedPod(box, node, client, "10.203.0.2");
  routedPod(box, node, server, "10.203.0.3");
  const found = path("kernel-routing", "same-node", client, server, "10.203.0.3");
  return { ...found, nodeNetns: node, clientAddress: "10.203.0.2" };
}

/** A client and many servers behind one routing node, as {@link routedSameNode}. */
export interface RoutedServers {
  readonly nodeNetns: string;
  readonly clientNetns: string;
  readonly servers: readonly { readonly netns: string; readonly address: string }[];
}

/** @param name two lower-case letters or digits @param count of servers, at most 99 */
export function routedServers(box: Sandbox, name: string, count: number): RoutedServers {
  const node = box.netns(`${name}-n`);
  const client = box.netns(`${name}-c`);
  box.sysctl(node, { "net.ipv4.ip_forward": "1" });
  // Where nothing translates them, packets to services end.
  box.ip(node, ["route add blackhole default"]);
  routedPod(box, node, client, "10.206.0.2");
  const servers = Array.from({ length: count }, (_, i) => {
    const netns = box.netns(`${name}-s${i}`);
    const address = `10.206.0.${3 + i}`;
    routedPod(box, node, netns, address);
    return { netns, address };
  });
  return { nodeNetns: node, clientNetns: client, servers };
}

/** Two nodes with one routed pod each and plain routes between them. */
export function routedCrossNode(box: Sandbox): Path {
  const [a, b] = nodes(box, "rc");
  const client = box.netns("rc-c");
  const server = box.netns("rc-s");
  routedPod(box, a, client, "10.204.1.2");
  routedPod(box, b, server, "10.204.2.2");
  box.ip(a, ["route add 10.204.2.0/24 via 192.168.78.2"]);
  box.ip(b, ["route add 10.204.1.0/24 via 192.168.78.1"]);
  return path("kernel-routing", "cross-node.vxlan", client, server, "10.204.2.2");
}

/** Flannel's way: a bridge for each node's pods, and one VXLAN device with static neighbours and forwarding entries. */
export function vxlanBridge(box: Sandbox): Path {
  const [a, b] = nodes(box, "vb");
  const client = box.netns("vb-c");
  const server = box.netns("vb-s");
  const ends = [
    { node: a, own: 1, other: 2, pod: client },
    { node: b, own: 2, other: 1, pod: server },
  ];
  for (const { node, own, other, pod } of ends) {
    const otherMac = `02:00:00:00:00:0${other}`;
    box.ip(node, [
      `link add flannel.1 address 02:00:00:00:00:0${own} mtu 1450 type vxlan id 1 dstport 8472 local 192.168.78.${own} dev eth0 nolearning`,
      `addr add 10.205.${own}.0/32 dev flannel.1`,
      "link set flannel.1 up",
      `neigh add 10.205.${other}.0 lladdr ${otherMac} dev flannel.1 nud permanent`,
      `route add 10.205.${other}.0/24 via 10.205.${other}.0 dev flannel.1 onlink`,
      "link add br0 mtu 1450 type bridge",
      `addr add 10.205.${own}.1/24 dev br0`,
      "link set br0 up",
    ]);
    bridgeFdb(node, otherMac, `192.168.78.${other}`);
    bridgePod(box, node, pod, `10.205.${own}.2/24`, 1450);
    box.ip(pod, [`route add default via 10.205.${own}.1`]);
  }
  return path("kernel-vxlan+bridge", "cross-node.vxlan", client, server, "10.205.2.2");
}

/** Two node namespaces joined by one veth, 192.168.78.1 and .2, with forwarding on. */
export function nodes(box: Sandbox, prefix: string): [string, string] {
  const a = box.netns(`${prefix}-n1`);
  const b = box.netns(`${prefix}-n2`);
  box.ip(a, [
    `link add eth0 type veth peer name eth0 netns ${b}`,
    "addr add 192.168.78.1/24 dev eth0",
    "addr add fd00:78::1/64 dev eth0",
    "link set eth0 up",
  ]);
  box.ip(b, ["addr add 192.168.78.2/24 dev eth0", "addr add fd00:78::2/64 dev eth0", "link set eth0 up"]);
  for (const node of [a, b]) {
    box.sysctl(node, { "net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1" });
  }
  return [a, b];
}

function bridgeFdb(node: string, mac: string, remote: string): void {
  run(["bridge", "-n", node, "fdb", "add", mac, "dev", "flannel.1", "dst", remote]);
}

/** A pod's veth with its host end on `br0`. */
function bridgePod(box: Sandbox, node: string, pod: string, address: string, mtuBytes: number): void {
  const host = `v${pod.slice(-6).replaceAll("-", "")}`;
  box.ip(node, [
    `link add ${host} mtu ${mtuBytes} type veth peer name eth0 mtu ${mtuBytes} netns ${pod}`,
    `link set ${host} master br0 up`,
  ]);
  box.ip(pod, [`addr add ${address} dev eth0`, "link set eth0 up"]);
}

/** A pod's veth with a host route to it and a link-local gateway, nothing shared with other pods. */
function routedPod(box: Sandbox, node: string, pod: string, address: string): void {
  const host = `v${pod.slice(-6).replaceAll("-", "")}`;
  box.ip(node, [
    `link add ${host} address ${PROXY_MAC} type veth peer name eth0 netns ${pod}`,
    `link set ${host} up`,
    `route add ${address}/32 dev ${host}`,
  ]);
  box.ip(pod, [
    `addr add ${address}/32 dev eth0`,
    "link set eth0 up",
    `neigh add 169.254.1.1 lladdr ${PROXY_MAC} dev eth0 nud permanent`,
    "route add 169.254.1.1 dev eth0 scope link",
    "route add default via 169.254.1.1 dev eth0",
  ]);
}

function path(
  subject: string,
  scope: Path["scope"],
  clientNetns: string,
  serverNetns: string,
  serverAddress: string,
): Path {
  return { subject, scope, clientNetns, serverNetns, serverAddress };
}
