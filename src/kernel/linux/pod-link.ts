/** A pod's own side: made in two datagrams on a socket of the pod's namespace, which no thread stays in. */

import { writeFileSync } from "node:fs";
import { type Addr, addr, familyBits } from "../../net/addr.ts";
import { macBytes } from "../../net/mac.ts";
import { writeNewAddr } from "../../net/netlink/address.ts";
import { IFF, NETLINK_ROUTE, NLM_F, RT_TABLE_MAIN } from "../../net/netlink/constants.ts";
import { writeDelLink, writeNewVeth, writeSetLink } from "../../net/netlink/link.ts";
import { writeNewNeighbour } from "../../net/netlink/neighbour.ts";
import { readRoute, writeGetRoutes, writeNewRoute } from "../../net/netlink/route.ts";
import { hostPrefix, type Prefix, prefixOf } from "../../net/prefix.ts";
import { KernelError, type PodLink, type PodLinkSpec, type Route } from "../kernel.ts";
import { type Addon, loadAddon } from "./addon.ts";
import { attempt, ERRNO, isKernelError } from "./failure.ts";
import { NetlinkSocket, type Step } from "./netlink-socket.ts";

/** RTPROT_BOOT is what tools leave; pods see Twill's number. */
export const TWILL_PROTOCOL = 87;
const ANY = { 4: prefixOf(addr("0.0.0.0"), 0), 6: prefixOf(addr("::"), 0) } as const;
const PUT = NLM_F.CREATE | NLM_F.REPLACE;
const NEW = NLM_F.CREATE | NLM_F.EXCL;
/** Above the metric that IPv6 routes have unasked. */
const SECOND_METRIC = 2048;

/** The node's side of an exchange with a pod's namespace. */
export interface NodeSide {
  readonly socket: NetlinkSocket;
  /** Open descriptor of the node's namespace. */
  readonly netnsFd: number;
}

/** Opens a pod's namespace; ENOENT when the path leads to none. */
export function openPodNetns(op: string, netns: string): Disposable & { readonly fd: number } {
  const addon = loadAddon();
  const fd = attempt(op, () => addon.openNetns(netns));
  const isNetns = addon.netnsId(fd) !== undefined;
  if (!isNetns) addon.close(fd);
  if (!isNetns) throw new KernelError(op, "ENOENT", ERRNO.ENOENT, `"${netns}" is no network namespace`);
  return { fd, [Symbol.dispose]: () => addon.close(fd) };
}

/** See Kernel.createPodLink. */
export function createPodLink(node: NodeSide, spec: PodLinkSpec): PodLink {
  const op = `create link "${spec.ifname}" in "${spec.netns}"`;
  using netns = openPodNetns(op, spec.netns);
  using pod = new NetlinkSocket(netns.fd, NETLINK_ROUTE);
  try {
    pod.change([{ op, write: (w, flags, sequence) => writePair(w, flags, sequence, spec, node.netnsFd) }]);
  } catch (error) {
    if (isKernelError(error, "EEXIST") && pod.ifIndex(spec.ifname) === 0)
      throw new KernelError(op, "EEXIST", ERRNO.EEXIST, `"${spec.hostIfname}" exists on the node`, { cause: error });
    throw error;
  }
  const ifindex = pod.ifIndex(spec.ifname);
  try {
    configure(pod, ifindex, netns.fd, spec);
  } catch (error) {
    const step: Step = {
      op: `remove link "${spec.ifname}" in "${spec.netns}"`,
      write: (w, flags, sequence) => writeDelLink(w, ifindex, flags, sequence),
      tolerates: [ERRNO.ENODEV],
    };
    pod.deleteDevice(step, ifindex);
    throw error;
  }
  return {
    ifindex,
    hostIfindex: node.socket.ifIndex(spec.hostIfname),
    mac: spec.mac,
    mtuBytes: spec.mtuBytes,
    addrs: spec.addrs.map((a) => ({ addr: a, length: familyBits(a.family) })),
    routes: podRoutes(spec),
    isUp: true,
  };
}

function writePair(
  w: Parameters<Step["write"]>[0],
  flags: number,
  sequence: number,
  spec: PodLinkSpec,
  nodeNetnsFd: number,
): void {
  const { mtuBytes } = spec;
  writeNewVeth(w, {
    link: { name: spec.ifname, mac: macBytes(spec.mac), mtuBytes, flags: IFF.UP, hasOneQueue: true },
    peer: {
      name: spec.hostIfname,
      mac: macBytes(spec.hostMac),
      mtuBytes,
      flags: 0,
      netnsFd: nodeNetnsFd,
      hasOneQueue: true,
    },
    flags,
    sequence,
  });
}

/** The routes that a pod gets: each gateway on the link, and the default through it. */
function podRoutes(spec: Pick<PodLinkSpec, "ifname" | "gateways">): Route[] {
  const route = (dst: Prefix, gateway: Addr | undefined): Route => ({
    dst,
    link: spec.ifname,
    gateway,
    src: undefined,
    mtuBytes: undefined,
    table: RT_TABLE_MAIN,
    protocol: TWILL_PROTOCOL,
  });
  return spec.gateways.flatMap((g) => [route(hostPrefix(g), undefined), route(ANY[g.family], g)]);
}

function configure(pod: NetlinkSocket, index: number, netnsFd: number, spec: PodLinkSpec): void {
  const steps = configureSteps(index, spec);
  try {
    pod.change(steps);
  } catch (error) {
    // Some runtimes make namespaces with IPv6 switched off; an IPv6 address was asked for, so it is wanted here.
    if (!isKernelError(error, "EACCES") || !spec.addrs.some((a) => a.family === 6)) throw error;
    enableIpv6(loadAddon(), netnsFd, spec.ifname);
    pod.change(steps);
  }
  addRoutes(pod, index, spec);
}

/**
 * Another interface of the pod may have these routes already, and is not robbed of them: it keeps its way, and this one's
 * routes stand behind it by a metric that no other interface has.
 */
function addRoutes(pod: NetlinkSocket, index: number, spec: PodLinkSpec): void {
  try {
    pod.change(podRoutes(spec).map((r) => routeStep(index, spec, r, undefined)));
  } catch (error) {
    if (!isKernelError(error, "EEXIST")) throw error;
    const step = `list routes in "${spec.netns}"`;
    const write: Step["write"] = (w, flags, sequence) => writeGetRoutes(w, { family: 0, index, flags, sequence });
    const made = pod
      .dump({ op: step, write }, readRoute)
      .filter((r) => r.index === index && r.protocol === TWILL_PROTOCOL);
    const missing = podRoutes(spec).filter((r) => !made.some((m) => m.dst.text === r.dst.text));
    pod.change(missing.map((r) => routeStep(index, spec, r, SECOND_METRIC + index)));
  }
}

function routeStep(index: number, spec: PodLinkSpec, route: Route, priority: number | undefined): Step {
  const { dst, gateway } = route;
  return {
    op: `add route ${dst.text} on "${spec.ifname}" in "${spec.netns}"`,
    write: (w, flags, sequence) =>
      writeNewRoute(w, { dst, index, gateway, priority, protocol: TWILL_PROTOCOL }, flags | NEW, sequence),
  };
}

function enableIpv6(addon: Addon, netnsFd: number, ifname: string): void {
  attempt(`switch on IPv6 on "${ifname}"`, () =>
    addon.withNetns(netnsFd, () => writeFileSync(`/proc/sys/net/ipv6/conf/${ifname}/disable_ipv6`, "0")),
  );
}

function configureSteps(index: number, spec: PodLinkSpec): Step[] {
  const where = `on "${spec.ifname}" in "${spec.netns}"`;
  const mac = macBytes(spec.hostMac);
  const steps: Step[] = spec.addrs.map((a) => ({
    op: `add address ${a.text} ${where}`,
    write: (w, flags, sequence) => {
      const address = { addr: a, length: familyBits(a.family) };
      writeNewAddr(w, { index, address, flags: flags | PUT, sequence });
    },
  }));
  for (const gateway of spec.gateways) {
    steps.push({
      op: `add neighbour ${gateway.text} ${where}`,
      write: (w, flags, sequence) => writeNewNeighbour(w, { index, addr: gateway, mac, flags: flags | PUT, sequence }),
    });
  }
  return steps;
}

/** See Kernel.openPodLink: first no addresses of the kernel's making, then up. */
export function openPodLink(socket: NetlinkSocket, hostIfname: string, alias?: string): void {
  const op = `open link "${hostIfname}"`;
  const index = socket.ifIndex(hostIfname);
  if (index === 0) throw new KernelError(op, "ENODEV", ERRNO.ENODEV);
  socket.change([
    {
      op,
      write: (w, flags, sequence) => writeSetLink(w, { index, noAddrGen: true }, flags, sequence),
      tolerates: [ERRNO.EAFNOSUPPORT],
    },
    {
      op,
      write: (w, flags, sequence) =>
        writeSetLink(w, { index, setFlags: IFF.UP, flagMask: IFF.UP, alias }, flags, sequence),
    },
  ]);
}

/** See Kernel.setLoopbackUp. */
export function setLoopbackUp(netns: string): void {
  const op = `set "lo" up in "${netns}"`;
  using opened = openPodNetns(op, netns);
  using socket = new NetlinkSocket(opened.fd, NETLINK_ROUTE);
  const index = socket.ifIndex("lo");
  socket.change([
    {
      op,
      write: (w, flags, sequence) => writeSetLink(w, { index, setFlags: IFF.UP, flagMask: IFF.UP }, flags, sequence),
    },
  ]);
}
