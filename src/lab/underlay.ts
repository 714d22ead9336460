/**
 * The wire: a bridge that the nodes and the API's leg hang on, a router, and one host outside. Every part stands in a
 * box of its own; nothing of it is in the machine's own network namespace.
 *
 * The router knows no pod addresses: a pod's packet that left unmasqueraded gets no answer, as on a real network.
 */

import { type Box, openBox, runIn } from "./box.ts";
import { CommandError } from "./run.ts";
import { type AddressPair, type LabNode, type Topology, WIRE_LENGTH } from "./topology.ts";

/** The made wire. */
export interface Underlay {
  readonly wire: Box;
  readonly outside: Box;
  /** The API's leg: an empty host on the wire in whose namespace the API also listens. */
  readonly api: Box;
}

/**
 * Settings of every namespace of the lab. Addresses are set by hand and never collide: waiting for duplicate address
 * detection would only cost time. A host that limits its ICMP errors makes probes of closed ports time out by chance
 * instead of being refused: a hundred matrices in a row are no attack.
 */
export const QUIET = [
  "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad",
  "echo 0 > /proc/sys/net/ipv6/conf/default/accept_ra",
  "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit",
  "echo 0 > /proc/sys/net/ipv6/icmp/ratelimit",
  "for f in icmp_msgs_per_sec icmp_msgs_burst; do [ ! -w /proc/sys/net/ipv4/$f ] || echo 1000000 > /proc/sys/net/ipv4/$f; done",
  "ip link set lo up",
];

const ROUTER = [...QUIET, "echo 1 > /proc/sys/net/ipv4/ip_forward", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"];

/**
 * A node's own files: private /run with the agent's and the runtime's state, /etc and /opt as they are here with the
 * node's changes on top, a /sys that shows the node's devices, and an empty bpffs.
 */
const NODE_FILES = [
  "mount -t tmpfs -o mode=755,size=256m twill-lab /run",
  "mkdir -p /run/netns /run/twill /run/lab/etc /run/lab/etc.work /run/lab/opt /run/lab/opt.work /run/lab/cgroup",
  "mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/lab/etc,workdir=/run/lab/etc.work /etc",
  "mount -t overlay overlay -o lowerdir=/opt,upperdir=/run/lab/opt,workdir=/run/lab/opt.work /opt",
  "if [ -d /sys/fs/cgroup ]; then mount --rbind /sys/fs/cgroup /run/lab/cgroup; fi",
  "mount -t sysfs sysfs /sys",
  "if [ -d /sys/fs/cgroup ]; then mount --rbind /run/lab/cgroup /sys/fs/cgroup; umount -lR /run/lab/cgroup; fi",
  "mount -t bpf bpf /sys/fs/bpf",
  // What the machine has configured for itself is not the node's: plugins and configuration come from the lab alone.
  "rm -rf /etc/cni/net.d /opt/cni/bin /etc/twill",
  "mkdir -p /etc/cni/net.d /opt/cni/bin /opt/twill/bin /etc/twill",
];

/** Makes the wire, the outside host and the API's leg, joined. */
export async function openUnderlay(topology: Topology): Promise<Underlay> {
  const opened = await Promise.allSettled([
    openBox({ name: "wire", setUp: ROUTER }),
    openBox({ name: "outside", setUp: QUIET }),
    openBox({ name: "api", setUp: QUIET }),
  ]);
  const boxes = opened.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []));
  const failed = opened.find((r) => r.status === "rejected");
  const [wire, outside, api] = boxes;
  if (failed !== undefined || wire === undefined || outside === undefined || api === undefined) {
    await Promise.all(boxes.map((b) => b.close()));
    throw failed?.reason;
  }
  try {
    await ipBatch(wire, wireCommands(topology, outside, api));
    await Promise.all([
      ipBatch(outside, hostCommands(topology.outside, topology.outsideRouter, [4, 6])),
      ipBatch(api, hostCommands(topology.api, topology.router, [4, 6])),
    ]);
    return { wire, outside, api };
  } catch (cause) {
    await Promise.all(boxes.map((b) => b.close()));
    throw cause;
  }
}

/** Makes a node's box, not yet on the wire. */
export function openNodeBox(node: LabNode): Promise<Box> {
  return openBox({ name: node.name, setUp: [...QUIET, ...NODE_FILES] });
}

/** Hangs a node on the wire. */
export async function plugNode(wire: Box, box: Box, node: LabNode, topology: Topology): Promise<void> {
  const mtu = topology.mtuBytes;
  await ipBatch(wire, [
    `link add n${node.index} mtu ${mtu} type veth peer name eth0 address ${node.mac} mtu ${mtu} netns ${box.init.pid}`,
    `link set n${node.index} master br0 up`,
  ]);
  await ipBatch(box, hostCommands(node, topology.router, topology.families));
}

function wireCommands(t: Topology, outside: Box, api: Box): string[] {
  return [
    // Snooping would hold back neighbour solicitations until a querier shows up: there is none.
    `link add br0 mtu ${t.mtuBytes} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `addr add ${t.router.v4}/${WIRE_LENGTH.v4} dev br0`,
    `addr add ${t.router.v6}/${WIRE_LENGTH.v6} dev br0 nodad`,
    "link set br0 up",
    `link add out mtu ${t.mtuBytes} type veth peer name eth0 mtu ${t.mtuBytes} netns ${outside.init.pid}`,
    `addr add ${t.outsideRouter.v4}/${WIRE_LENGTH.v4} dev out`,
    `addr add ${t.outsideRouter.v6}/${WIRE_LENGTH.v6} dev out nodad`,
    "link set out up",
    // Where no route leads, nothing is heard, always: the kernel would say "unreachable" five times and then rarely.
    "route add blackhole 0.0.0.0/0",
    "route add blackhole ::/0",
    `link add api mtu ${t.mtuBytes} type veth peer name eth0 mtu ${t.mtuBytes} netns ${api.init.pid}`,
    "link set api master br0 up",
  ];
}

function hostCommands(host: AddressPair, router: AddressPair, families: readonly (4 | 6)[]): string[] {
  const addrs = {
    4: `addr add ${host.v4}/${WIRE_LENGTH.v4} dev eth0`,
    6: `addr add ${host.v6}/${WIRE_LENGTH.v6} dev eth0 nodad`,
  };
  const routes = { 4: `route add default via ${router.v4}`, 6: `route add default via ${router.v6}` };
  return [...families.map((f) => addrs[f]), "link set eth0 up", ...families.map((f) => routes[f])];
}

/** Runs iproute2 commands in a box's network namespace. @throws CommandError with the first that failed */
export async function ipBatch(box: Box, commands: readonly string[]): Promise<void> {
  const argv = ["ip", "-batch", "-"];
  // Network namespace only: process numbers in the commands are those of outside.
  const output = await runIn(box, argv, { isNetOnly: true, input: `${commands.join("\n")}\n` });
  if (output.code !== 0) throw new CommandError([...argv, `in "${box.name}"`], output);
}
