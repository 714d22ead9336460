/** Pods' sides in the fake. */

import { type Addr, addr, familyBits } from "../../net/addr.ts";
import { hostPrefix, type Prefix, prefixOf } from "../../net/prefix.ts";
import { KernelError, type PodLink, type PodLinkSpec, type Route } from "../kernel.ts";
import { deviceOf, type FakeDevice, type FakeMachine, type FakeNetns } from "./machine.ts";

const ANY = { 4: prefixOf(addr("0.0.0.0"), 0), 6: prefixOf(addr("::"), 0) } as const;

function open(machine: FakeMachine, op: string, path: string): FakeNetns {
  const netns = machine.netns(path);
  if (netns === undefined) throw new KernelError(op, "ENOENT", 2, path);
  return netns;
}

/** See Kernel.createPodLink. */
export function createFakePodLink(machine: FakeMachine, spec: PodLinkSpec): PodLink {
  const op = `create link "${spec.ifname}" in "${spec.netns}"`;
  const netns = open(machine, op, spec.netns);
  if (deviceOf(netns, spec.ifname) !== undefined) throw new KernelError(op, "EEXIST", 17);
  if (deviceOf(machine.node, spec.hostIfname) !== undefined)
    throw new KernelError(op, "EEXIST", 17, `"${spec.hostIfname}" exists on the node`);
  const { mtuBytes } = spec;
  const device = machine.addVeth(
    [netns, { name: spec.ifname, mac: spec.mac, mtuBytes }],
    [machine.node, { name: spec.hostIfname, mac: spec.hostMac, mtuBytes }],
  );
  device.isUp = true;
  device.addrs.push(...spec.addrs.map((a) => ({ addr: a, length: familyBits(a.family) })));
  for (const gateway of spec.gateways) {
    device.neighbours.set(gateway.text, spec.hostMac);
    device.routes.push(route(spec.ifname, hostPrefix(gateway), undefined));
    device.routes.push(route(spec.ifname, ANY[gateway.family], gateway));
  }
  return podLinkOf(device);
}

function route(link: string, dst: Prefix, gateway: Addr | undefined): Route {
  return { dst, link, gateway, src: undefined, mtuBytes: undefined, table: 254, protocol: 87 };
}

function podLinkOf(d: FakeDevice): PodLink {
  const { ifindex, mac, mtuBytes, isUp } = d;
  return {
    ifindex,
    hostIfindex: d.peer?.ifindex ?? 0,
    mac,
    mtuBytes,
    addrs: [...d.addrs],
    routes: [...d.routes],
    isUp,
  };
}

/** See Kernel.openPodLink. */
export function openFakePodLink(machine: FakeMachine, hostIfname: string, alias?: string): void {
  const device = deviceOf(machine.node, hostIfname);
  if (device === undefined) throw new KernelError(`open link "${hostIfname}"`, "ENODEV", 19);
  device.isUp = true;
  device.alias = alias ?? device.alias;
}

/** See Kernel.inspectPodLink. */
export function inspectFakePodLink(machine: FakeMachine, path: string, ifname: string): PodLink | undefined {
  const device = deviceOf(open(machine, `look at "${ifname}" in "${path}"`, path), ifname);
  return device === undefined ? undefined : podLinkOf(device);
}
