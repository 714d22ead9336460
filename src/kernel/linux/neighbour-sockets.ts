/**
 * Sockets that hear ARP and neighbour discovery on some devices of a namespace, and send whole frames by them. What they hear is what everybody
 * on the network may send: the listener believes nothing.
 */

import { type Addr, parseAddr } from "../../net/addr.ts";
import { ETHERTYPE_ARP } from "../../net/neighbour/arp.ts";
import { ADVERTISEMENT, SOLICITATION, solicitedNode } from "../../net/neighbour/discovery.ts";
import { IS_LITTLE_ENDIAN } from "../../net/netlink/writer.ts";
import { type Addon, loadAddon, type NetnsRef, type PollHandle } from "./addon.ts";
import { attempt } from "./failure.ts";

const AF_INET6 = 10;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const IPPROTO_ICMPV6 = 58;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SOL_IPV6 = 41;
const IPV6_ADD_MEMBERSHIP = 20;
const IPV6_DROP_MEMBERSHIP = 21;
const ICMP6_FILTER = 1;
const READABLE = 1;
/** Packets taken at one wake-up: a flood must not keep the loop. */
const MAX_READS = 64;

/** A device by both its names. */
export interface DeviceRef {
  readonly name: string;
  readonly ifindex: number;
}

/** Who hears. Called from the event loop; must not throw. */
export interface NeighbourListener {
  arp(ifindex: number, frame: Uint8Array): void;
  icmp6(ifindex: number, from: Addr, message: Uint8Array): void;
}

interface Open extends DeviceRef {
  readonly arp: number;
  /** undefined: the namespace has no IPv6. */
  readonly icmp6: number | undefined;
  readonly polls: readonly PollHandle[];
  /** Groups that were joined, by text of the address. */
  readonly joined: Map<string, Uint8Array>;
}

/** Lets pass what is said of neighbours, and nothing else (RFC 3542, section 3.2). */
function icmp6Filter(): Uint8Array {
  const words = new Uint32Array(8).fill(0xffff_ffff);
  for (const type of [SOLICITATION, ADVERTISEMENT]) words[type >> 5] = (words[type >> 5] ?? 0) & ~(1 << (type & 31));
  return new Uint8Array(words.buffer);
}

function membership(group: Uint8Array, ifindex: number): Uint8Array {
  const bytes = new Uint8Array(20);
  bytes.set(group);
  new DataView(bytes.buffer).setInt32(16, ifindex, IS_LITTLE_ENDIAN);
  return bytes;
}

/** See the file's comment. Dispose it. */
export class NeighbourSockets implements Disposable {
  readonly #addon: Addon = loadAddon();
  readonly #netns: NetnsRef | undefined;
  readonly #listener: NeighbourListener;
  readonly #open = new Map<number, Open>();

  /** @param netns undefined: that of the calling thread */
  constructor(netns: NetnsRef | undefined, listener: NeighbourListener) {
    this.#netns = netns;
    this.#listener = listener;
  }

  /**
   * Hears these devices and no others, IPv6 solicitations for these addresses.
   * @throws KernelError when a socket cannot be had
   */
  listen(devices: readonly DeviceRef[], addrs: readonly Addr[]): void {
    for (const open of this.#open.values())
      if (!devices.some((d) => d.ifindex === open.ifindex && d.name === open.name)) this.#close(open);
    for (const d of devices) if (!this.#open.has(d.ifindex)) this.#open.set(d.ifindex, this.#openDevice(d));
    const six = addrs.filter((a) => a.family === 6);
    for (const open of this.#open.values()) this.#join(open, six);
  }

  /** Sends a frame by a device; what the device does not take is lost. @returns whether it took it */
  send({ ifindex }: DeviceRef, frame: Uint8Array): boolean {
    const open = this.#open.get(ifindex);
    if (open === undefined) return false;
    try {
      this.#addon.send(open.arp, frame);
      return true;
    } catch {
      // ENETDOWN, ENOBUFS: as lost as on the wire.
      return false;
    }
  }

  #openDevice(device: DeviceRef): Open {
    const { name, ifindex } = device;
    const arp = attempt(`hear ARP on "${name}"`, () => this.#addon.socket(this.#netns, AF_PACKET, SOCK_RAW, 0));
    attempt(`hear ARP on "${name}"`, () => this.#addon.bindPacket(arp, ifindex, ETHERTYPE_ARP));
    const icmp6 = this.#openIcmp6(name);
    const polls = [this.#poll(arp, (data) => this.#listener.arp(ifindex, data))];
    if (icmp6 !== undefined)
      polls.push(
        this.#poll(icmp6, (data, host) => {
          const from = parseAddr(host.split("%")[0] ?? "");
          if (from.ok) this.#listener.icmp6(ifindex, from.value, data);
        }),
      );
    return { name, ifindex, arp, icmp6, polls, joined: new Map() };
  }

  #openIcmp6(name: string): number | undefined {
    let fd: number;
    try {
      fd = this.#addon.socket(this.#netns, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    } catch {
      return undefined;
    }
    attempt(`hear neighbour discovery on "${name}"`, () => {
      this.#addon.setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${name}\0`));
      this.#addon.setOption(fd, IPPROTO_ICMPV6, ICMP6_FILTER, icmp6Filter());
    });
    return fd;
  }

  #poll(fd: number, take: (data: Uint8Array, host: string) => void): PollHandle {
    const poll = this.#addon.pollStart(fd, READABLE, () => {
      for (let i = 0; i < MAX_READS; i++) {
        let got: ReturnType<Addon["receive"]>;
        try {
          got = this.#addon.receive(fd);
        } catch {
          // ENETDOWN: told once when the device goes down.
          return;
        }
        if (got === undefined) return;
        take(got.data, got.host);
      }
    });
    this.#addon.pollRef(poll, false);
    return poll;
  }

  #join({ icmp6, ifindex, joined }: Open, addrs: readonly Addr[]): void {
    if (icmp6 === undefined) return;
    const wanted = new Map(addrs.map((a) => [a.text, solicitedNode(a)]));
    const set = (option: number, group: Uint8Array) => {
      try {
        this.#addon.setOption(icmp6, SOL_IPV6, option, membership(group, ifindex));
      } catch {
        // Several addresses may share a group: it is joined already, or left already.
      }
    };
    for (const [text, group] of joined)
      if (!wanted.has(text)) {
        joined.delete(text);
        if (![...wanted.values()].some((g) => Buffer.compare(g, group) === 0)) set(IPV6_DROP_MEMBERSHIP, group);
      }
    for (const [text, group] of wanted)
      if (!joined.has(text)) {
        joined.set(text, group);
        set(IPV6_ADD_MEMBERSHIP, group);
      }
  }

  #close(open: Open): void {
    this.#open.delete(open.ifindex);
    for (const poll of open.polls) this.#addon.pollStop(poll);
    this.#addon.close(open.arp);
    if (open.icmp6 !== undefined) this.#addon.close(open.icmp6);
  }

  [Symbol.dispose](): void {
    for (const open of [...this.#open.values()]) this.#close(open);
  }
}
