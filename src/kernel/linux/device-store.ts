/** Devices, addresses and routes of the node's namespace. Putting what stands already changes nothing. */

import { type Mac, macBytes, macFromBytes } from "../../net/mac.ts";
import { familyNumber, readAddress, writeDelAddr, writeGetAddr, writeNewAddr } from "../../net/netlink/address.ts";
import { AF, IFF, NLM_F } from "../../net/netlink/constants.ts";
import {
  type LinkMessage,
  readLink,
  writeDelLink,
  writeGetLink,
  writeNewVeth,
  writeNewVxlan,
  writeSetLink,
} from "../../net/netlink/link.ts";
import { readRoute, writeDelRoute, writeGetRoutes, writeNewRoute } from "../../net/netlink/route.ts";
import type { InterfaceAddr } from "../../net/prefix.ts";
import type { AddrRow, LinkRow, RouteRow } from "../../plan/rows.ts";
import { KernelError, type Link, type Route } from "../kernel.ts";
import { ERRNO } from "./failure.ts";
import type { NetlinkSocket, Step } from "./netlink-socket.ts";
import { TWILL_PROTOCOL } from "./pod-link.ts";

const PUT = NLM_F.CREATE | NLM_F.REPLACE;
const WANTED_FLAGS = IFF.UP | IFF.NOARP;

/** All devices that a socket's namespace has. */
export function listLinks(socket: NetlinkSocket): Link[] {
  const step: Step = { op: "list links", write: (w, flags, sequence) => writeGetLink(w, undefined, flags, sequence) };
  return socket.dump(step, readLink).map(linkOf);
}

/** One device by name. */
export function findLink(socket: NetlinkSocket, name: string): LinkMessage | undefined {
  const answer = socket.ask({
    op: `look at link "${name}"`,
    write: (w, flags, sequence) => writeGetLink(w, name, flags, sequence),
    tolerates: [ERRNO.ENODEV, ERRNO.ENOENT],
  });
  return answer === undefined ? undefined : readLink(answer);
}

/** A device in the contract's words. */
export function linkOf(m: LinkMessage): Link {
  const isVeth = m.kind === "veth";
  return {
    name: m.name,
    ifindex: m.index,
    mac: m.mac === undefined ? undefined : macFromBytes(m.mac),
    mtuBytes: m.mtuBytes,
    isUp: (m.flags & IFF.UP) !== 0,
    hasCarrier: m.hasCarrier,
    kind: m.kind,
    peerIfindex: isVeth ? m.linkIndex : undefined,
    peerNetnsId: isVeth ? m.linkNetnsId : undefined,
    vxlan: m.vxlan,
    alias: m.alias,
  };
}

/** See Kernel.putLink. A device of the right kind that cannot be changed into what is wanted is made anew. */
export function putLink(socket: NetlinkSocket, row: LinkRow): void {
  const op = `put link "${row.name}"`;
  let link = findLink(socket, row.name);
  if (link !== undefined && link.kind !== row.kind)
    throw new KernelError(op, "EEXIST", ERRNO.EEXIST, `"${row.name}" is a ${link.kind ?? "physical"} device`);
  if (link !== undefined && !isChangeable(socket, link, row)) {
    deleteLink(socket, row.name);
    link = undefined;
  }
  if (link === undefined) createLink(socket, op, row);
  settle(socket, op, row.name, row.mac, row.mtuBytes);
  if (row.kind === "veth") settle(socket, op, row.peer, row.peerMac, row.mtuBytes);
}

function isChangeable(socket: NetlinkSocket, link: LinkMessage, row: LinkRow): boolean {
  if (row.kind === "vxlan") return link.vxlan?.port === row.port && link.vxlan.isExternal;
  return link.linkNetnsId === undefined && link.linkIndex === socket.ifIndex(row.peer);
}

function createLink(socket: NetlinkSocket, op: string, row: LinkRow): void {
  const { name, mtuBytes } = row;
  const link = { name, mac: macBytes(row.mac), mtuBytes, flags: IFF.NOARP };
  socket.change([
    {
      op,
      write: (w, flags, sequence) => {
        if (row.kind === "vxlan") writeNewVxlan(w, { link, port: row.port, flags, sequence });
        else {
          const peer = { name: row.peer, mac: macBytes(row.peerMac), mtuBytes, flags: IFF.NOARP };
          writeNewVeth(w, { link, peer, flags, sequence });
        }
      },
    },
  ]);
}

/** Brings one device to its wanted state, and writes nothing when it has it. */
function settle(socket: NetlinkSocket, op: string, name: string, mac: Mac, mtuBytes: number): void {
  const link = findLink(socket, name);
  if (link === undefined) throw new KernelError(op, "ENODEV", ERRNO.ENODEV, `no link "${name}"`);
  const { index } = link;
  const steps: Step[] = [];
  const set = (change: Omit<Parameters<typeof writeSetLink>[1], "index">, tolerates: readonly number[] = []) =>
    steps.push({ op, write: (w, flags, seq) => writeSetLink(w, { index, ...change }, flags, seq), tolerates });
  if (link.addrGenMode !== undefined && link.addrGenMode !== 1) set({ noAddrGen: true }, [ERRNO.EAFNOSUPPORT]);
  if (link.mac === undefined || macFromBytes(link.mac) !== mac) set({ mac: macBytes(mac) });
  if (link.mtuBytes !== mtuBytes) set({ mtuBytes });
  if ((link.flags & WANTED_FLAGS) !== WANTED_FLAGS) set({ setFlags: WANTED_FLAGS, flagMask: WANTED_FLAGS });
  socket.change(steps);
}

/** See Kernel.deleteLink: gone is gone, whoever did it. */
export function deleteLink(socket: NetlinkSocket, name: string): void {
  const index = socket.ifIndex(name);
  if (index === 0) return;
  const step: Step = {
    op: `delete link "${name}"`,
    write: (w, flags, sequence) => writeDelLink(w, index, flags, sequence),
    tolerates: [ERRNO.ENODEV],
  };
  socket.deleteDevice(step, index);
}

/** Addresses of a device; none when there is no such device. */
export function listAddrs(socket: NetlinkSocket, link: string): InterfaceAddr[] {
  const index = socket.ifIndex(link);
  if (index === 0) return [];
  const step: Step = {
    op: `list addresses of "${link}"`,
    write: (w, flags, sequence) => writeGetAddr(w, index, flags, sequence),
    tolerates: [ERRNO.ENODEV],
  };
  return socket.dump(step, (payload) => {
    const message = readAddress(payload);
    return message?.index === index ? message.address : undefined;
  });
}

/** See Kernel.putAddr. */
export function putAddr(socket: NetlinkSocket, row: AddrRow): void {
  const { address } = row;
  const op = `add address ${address.addr.text}/${address.length} on "${row.link}"`;
  const index = indexOf(socket, op, row.link);
  socket.change([
    { op, write: (w, flags, sequence) => writeNewAddr(w, { index, address, flags: flags | PUT, sequence }) },
  ]);
}

/** See Kernel.deleteAddr. */
export function deleteAddr(socket: NetlinkSocket, row: AddrRow): void {
  const { address } = row;
  const index = socket.ifIndex(row.link);
  if (index === 0) return;
  socket.change([
    {
      op: `delete address ${address.addr.text}/${address.length} from "${row.link}"`,
      write: (w, flags, sequence) => writeDelAddr(w, { index, address, flags, sequence }),
      tolerates: [ERRNO.EADDRNOTAVAIL, ERRNO.ENODEV],
    },
  ]);
}

/** Unicast routes of the main table; through one device, or all. */
export function listRoutes(socket: NetlinkSocket, index = 0): Route[] {
  const names = new Map<number, string | undefined>();
  const nameOf = (i: number) => {
    if (!names.has(i)) names.set(i, socket.ifName(i));
    return names.get(i);
  };
  return [AF.INET, AF.INET6].flatMap((family) => {
    const step: Step = {
      op: "list routes",
      write: (w, flags, sequence) => writeGetRoutes(w, { family, index, flags, sequence }),
      // No table yet, no IPv6, or the device is gone.
      tolerates: [ERRNO.ENOENT, ERRNO.EOPNOTSUPP, ERRNO.ENODEV],
    };
    return socket.dump(step, (payload) => {
      const route = readRoute(payload);
      const link = route?.index === undefined ? undefined : nameOf(route.index);
      if (route === undefined || link === undefined || familyNumber(route.dst.addr) !== family) return undefined;
      if (index !== 0 && route.index !== index) return undefined;
      const { dst, gateway, src, mtuBytes, table, protocol } = route;
      return { dst, link, gateway, src, mtuBytes, table, protocol };
    });
  });
}

/** See Kernel.putRoute. */
export function putRoute(socket: NetlinkSocket, row: RouteRow): void {
  const op = `add route ${row.dst.text} on "${row.link}"`;
  const index = indexOf(socket, op, row.link);
  const { dst, src, mtuBytes } = row;
  const route = { dst, src, mtuBytes, index, protocol: TWILL_PROTOCOL };
  socket.change([{ op, write: (w, flags, sequence) => writeNewRoute(w, route, flags | PUT, sequence) }]);
}

/** See Kernel.deleteRoute. Only Twill's own are removed. */
export function deleteRoute(socket: NetlinkSocket, row: Pick<RouteRow, "link" | "dst">): void {
  const index = socket.ifIndex(row.link);
  if (index === 0) return;
  socket.change([
    {
      op: `delete route ${row.dst.text} on "${row.link}"`,
      write: (w, flags, sequence) =>
        writeDelRoute(w, { dst: row.dst, index, protocol: TWILL_PROTOCOL }, flags, sequence),
      tolerates: [ERRNO.ESRCH, ERRNO.ENOENT, ERRNO.ENODEV],
    },
  ]);
}

function indexOf(socket: NetlinkSocket, op: string, link: string): number {
  const index = socket.ifIndex(link);
  if (index === 0) throw new KernelError(op, "ENODEV", ERRNO.ENODEV, `no link "${link}"`);
  return index;
}
