/**
 * The state of a pretended machine: one node's namespace, pods' namespaces, pinned maps and programs. It outlives the
 * kernels that are opened on it, as a real one outlives processes.
 */

import type { Mac } from "../../net/mac.ts";
import type { InterfaceAddr } from "../../net/prefix.ts";
import type { QdiscRow, SocketHook } from "../../plan/rows.ts";
import type { Route } from "../kernel.ts";
import type { FakeMap } from "./map.ts";
import type { FakeProgram } from "./object.ts";

/** A device in one of the machine's namespaces. */
export interface FakeDevice {
  readonly name: string;
  readonly ifindex: number;
  readonly netns: FakeNetns;
  readonly kind: "veth" | "vxlan" | undefined;
  mac: Mac;
  mtuBytes: number;
  isUp: boolean;
  isNoArp: boolean;
  alias: string | undefined;
  peer: FakeDevice | undefined;
  /** Limit of its egress. */
  bucket: QdiscRow | undefined;
  readonly vxlanPort: number | undefined;
  readonly addrs: InterfaceAddr[];
  readonly routes: Route[];
  /** MAC by address text. */
  readonly neighbours: Map<string, Mac>;
  readonly programs: Map<"ingress" | "egress", FakeProgram>;
}

/** A network namespace. */
export interface FakeNetns {
  readonly id: string;
  readonly devices: FakeDevice[];
  readonly sysctls: Map<string, string>;
  nextIfindex: number;
}

/** A control group. */
export interface FakeControlGroup {
  readonly id: number;
  readonly programs: Map<SocketHook, FakeProgram>;
}

/** What stands below one pin directory. */
export interface FakePins {
  tag: string;
  programs: ReadonlyMap<string, FakeProgram>;
  readonly maps: Map<string, FakeMap>;
}

/** See the head of this file. */
export class FakeMachine {
  readonly node: FakeNetns;
  /** Whether it has programs on sockets of control groups. */
  hasSocketPrograms = true;
  readonly pins = new Map<string, FakePins>();
  /** By path; the first one is the root. */
  readonly groups = new Map<string, FakeControlGroup>();
  /** Cookies of connected UDP sockets, wherever they are. */
  readonly connectedSockets = new Set<bigint>();
  readonly #netns = new Map<string, FakeNetns>();
  readonly #failures = new Map<string, Error[]>();
  #nextInode = 4026532000;
  #nextProgram = 1;
  #nextGroup = 1;

  constructor() {
    this.node = this.#makeNetns();
    this.addGroup("/sys/fs/cgroup");
  }

  /** Makes a control group, with another number each time. */
  addGroup(path: string): void {
    this.groups.set(path, { id: this.#nextGroup++, programs: new Map() });
  }

  #makeNetns(): FakeNetns {
    const netns: FakeNetns = { id: `4:${this.#nextInode++}`, devices: [], sysctls: new Map(), nextIfindex: 1 };
    this.addDevice(netns, { name: "lo", mac: "00:00:00:00:00:00" as Mac, mtuBytes: 65536 });
    return netns;
  }

  /** Makes a namespace that a path leads to; a second path may lead to the same one. */
  addNetns(path: string, sameAs?: string): void {
    const known = sameAs === undefined ? undefined : this.#netns.get(sameAs);
    this.#netns.set(path, known ?? this.#makeNetns());
  }

  /** Takes a path away, and with the last one the namespace and its devices. */
  removeNetns(path: string): void {
    const netns = this.#netns.get(path);
    this.#netns.delete(path);
    if (netns === undefined || [...this.#netns.values()].includes(netns)) return;
    for (const device of [...netns.devices]) this.removeDevice(device);
  }

  /** The namespace that a path leads to. */
  netns(path: string): FakeNetns | undefined {
    return this.#netns.get(path);
  }

  /** Adds a device, down; by default a physical one. */
  addDevice(
    netns: FakeNetns,
    fields: Pick<FakeDevice, "name" | "mac" | "mtuBytes"> & Partial<Pick<FakeDevice, "kind" | "vxlanPort">>,
  ): FakeDevice {
    const device: FakeDevice = {
      kind: undefined,
      vxlanPort: undefined,
      ...fields,
      ifindex: netns.nextIfindex++,
      netns,
      isUp: false,
      isNoArp: false,
      alias: undefined,
      peer: undefined,
      bucket: undefined,
      addrs: [],
      routes: [],
      neighbours: new Map(),
      programs: new Map(),
    };
    netns.devices.push(device);
    return device;
  }

  /** Adds two devices that are each other's other end. */
  addVeth(a: Parameters<FakeMachine["addDevice"]>, b: Parameters<FakeMachine["addDevice"]>): FakeDevice {
    const peer = this.addDevice(b[0], { ...b[1], kind: "veth" });
    const device = this.addDevice(a[0], { ...a[1], kind: "veth" });
    device.peer = peer;
    peer.peer = device;
    return device;
  }

  /** Removes a device, and a veth's other end with it. */
  removeDevice(device: FakeDevice): void {
    for (const gone of [device, device.peer])
      if (gone !== undefined) gone.netns.devices.splice(gone.netns.devices.indexOf(gone), 1);
  }

  /** Number of a program that is being loaded. */
  nextProgramId(): number {
    return this.#nextProgram++;
  }

  /** Lets the next call of a method fail; several are kept in order. */
  failNext(method: string, error: Error): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), error]);
  }

  /** Throws what {@link failNext} ordered for this method. */
  maybeFail(method: string): void {
    const [error, ...rest] = this.#failures.get(method) ?? [];
    if (error === undefined) return;
    this.#failures.set(method, rest);
    throw error;
  }
}

/** The device of a name in a namespace. */
export function deviceOf(netns: FakeNetns, name: string): FakeDevice | undefined {
  return netns.devices.find((d) => d.name === name);
}

const DEVICE_SETTINGS = {
  4: ["forwarding", "rp_filter", "accept_local", "accept_redirects", "send_redirects", "proxy_arp", "route_localnet"],
  6: ["forwarding", "disable_ipv6", "accept_ra", "accept_dad", "accept_redirects", "addr_gen_mode"],
} as const;
const SETTINGS = ["net/ipv4/ip_forward", "net/ipv4/ip_unprivileged_port_start", "net/core/somaxconn"];

/** Whether a namespace has a setting. */
export function hasSetting(netns: FakeNetns, name: string): boolean {
  const match = /^net\/ipv([46])\/conf\/([^/]+)\/([a-z0-9_]+)$/.exec(name);
  if (match === null) return SETTINGS.includes(name);
  const [, family, device = "", leaf = ""] = match;
  const isDevice = device === "all" || device === "default" || deviceOf(netns, device) !== undefined;
  return isDevice && (DEVICE_SETTINGS[family === "4" ? 4 : 6] as readonly string[]).includes(leaf);
}
