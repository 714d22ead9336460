/** A kernel on a {@link FakeMachine}: the promises of the contract, in memory. */

import { err, ok, type Result } from "../../base/result.ts";
import { familyBits } from "../../net/addr.ts";
import type { Mac } from "../../net/mac.ts";
import type { InterfaceAddr } from "../../net/prefix.ts";
import type { ObservedSocketHook } from "../../plan/row-kinds.ts";
import type {
  AddrRow,
  AttachRow,
  ControlGroup,
  LinkRow,
  MapRow,
  QdiscRow,
  RouteRow,
  SocketHookRow,
} from "../../plan/rows.ts";
import {
  type Kernel,
  KernelError,
  type Link,
  type Loaded,
  type LoadOptions,
  type MapInfo,
  type MapPage,
  NO_SOCKET_PROGRAMS,
  type PodLink,
  type PodLinkSpec,
  type Ring,
  type Route,
} from "../kernel.ts";
import { loadFakeObject } from "./load.ts";
import { deviceOf, type FakeDevice, FakeMachine, type FakeNetns, type FakePins, hasSetting } from "./machine.ts";
import type { FakeMap } from "./map.ts";
import { type FakeObject, TWILL_OBJECT } from "./object.ts";
import { createFakePodLink, inspectFakePodLink, openFakePodLink } from "./pod-link.ts";

/** Number of Twill's own routes. */
const TWILL_PROTOCOL = 87;

/** What a {@link createFakeKernel} stands on. */
export interface FakeKernelOptions {
  /** undefined: a new one. */
  readonly machine?: FakeMachine | undefined;
  readonly pinDirectory?: string | undefined;
  /** What any object's bytes are taken for; undefined: Twill's own. */
  readonly object?: FakeObject | undefined;
}

/** Opens a kernel; a second one on the same machine is what a restarted process would see. */
export function createFakeKernel(options: FakeKernelOptions = {}): FakeKernel {
  return new FakeKernel(options);
}

/** See {@link createFakeKernel}. */
export class FakeKernel implements Kernel {
  readonly machine: FakeMachine;
  readonly #object: FakeObject;
  #pinDirectory: string;

  constructor(options: FakeKernelOptions) {
    this.machine = options.machine ?? new FakeMachine();
    this.#object = options.object ?? TWILL_OBJECT;
    this.#pinDirectory = options.pinDirectory ?? "/sys/fs/bpf/twill";
  }

  get #node(): FakeNetns {
    return this.machine.node;
  }

  links(): readonly Link[] {
    this.machine.maybeFail("links");
    return this.#node.devices.map(linkOf);
  }

  putLink(row: LinkRow): void {
    this.machine.maybeFail("putLink");
    const op = `put link "${row.name}"`;
    let device = deviceOf(this.#node, row.name);
    if (device !== undefined && device.kind !== row.kind)
      throw new KernelError(op, "EEXIST", 17, `"${row.name}" is a ${device.kind ?? "physical"} device`);
    const isOther = row.kind === "vxlan" ? device?.vxlanPort !== row.port : device?.peer?.name !== row.peer;
    if (device !== undefined && isOther) {
      this.machine.removeDevice(device);
      device = undefined;
    }
    device ??= this.#makeLink(op, row);
    settle(device, row.mac, row.mtuBytes);
    if (row.kind === "veth" && device.peer !== undefined) settle(device.peer, row.peerMac, row.mtuBytes);
  }

  #makeLink(op: string, row: LinkRow): FakeDevice {
    const { name, mac, mtuBytes } = row;
    if (row.kind === "vxlan")
      return this.machine.addDevice(this.#node, { name, mac, mtuBytes, kind: "vxlan", vxlanPort: row.port });
    if (deviceOf(this.#node, row.peer) !== undefined) throw new KernelError(op, "EEXIST", 17);
    const peer = { name: row.peer, mac: row.peerMac, mtuBytes };
    return this.machine.addVeth([this.#node, { name, mac, mtuBytes }], [this.#node, peer]);
  }

  deleteLink(name: string): void {
    this.machine.maybeFail("deleteLink");
    const device = deviceOf(this.#node, name);
    if (device !== undefined) this.machine.removeDevice(device);
  }

  addrs(link: string): readonly InterfaceAddr[] {
    this.machine.maybeFail("addrs");
    return [...(deviceOf(this.#node, link)?.addrs ?? [])];
  }

  putAddr(row: AddrRow): void {
    this.machine.maybeFail("putAddr");
    const { address } = row;
    const { addrs } = this.#device(`add address ${address.addr.text}/${address.length} on "${row.link}"`, row.link);
    if (!addrs.some((a) => isSameAddr(a, address))) addrs.push(address);
  }

  deleteAddr(row: AddrRow): void {
    this.machine.maybeFail("deleteAddr");
    const addrs = deviceOf(this.#node, row.link)?.addrs ?? [];
    const at = addrs.findIndex((a) => isSameAddr(a, row.address));
    if (at >= 0) addrs.splice(at, 1);
  }

  routes(): readonly Route[] {
    this.machine.maybeFail("routes");
    return this.#node.devices.flatMap((d) => d.routes);
  }

  putRoute(row: RouteRow): void {
    this.machine.maybeFail("putRoute");
    const op = `add route ${row.dst.text} on "${row.link}"`;
    const device = this.#device(op, row.link);
    if (!device.isUp) throw new KernelError(op, "ENETDOWN", 100);
    if (!this.#node.devices.some((d) => d.addrs.some((a) => a.addr.text === row.src.text)))
      throw new KernelError(op, "EINVAL", 22, "Invalid prefsrc address");
    for (const d of this.#node.devices) removeRoute(d, row.dst.text);
    device.routes.push({ ...row, gateway: undefined, table: 254, protocol: TWILL_PROTOCOL });
  }

  deleteRoute(row: Pick<RouteRow, "link" | "dst">): void {
    this.machine.maybeFail("deleteRoute");
    const device = deviceOf(this.#node, row.link);
    if (device !== undefined) removeRoute(device, row.dst.text);
  }

  qdiscs(): readonly QdiscRow[] {
    this.machine.maybeFail("qdiscs");
    return this.#node.devices.flatMap((d) => d.bucket ?? []);
  }

  putQdisc(row: QdiscRow): void {
    this.machine.maybeFail("putQdisc");
    this.#device(`limit "${row.link}" to ${row.rateBytes} bytes a second`, row.link).bucket = row;
  }

  deleteQdisc(row: Pick<QdiscRow, "link">): void {
    this.machine.maybeFail("deleteQdisc");
    const device = deviceOf(this.#node, row.link);
    if (device !== undefined) device.bucket = undefined;
  }

  sysctl(name: string): string | undefined {
    this.machine.maybeFail("sysctl");
    return hasSetting(this.#node, name) ? (this.#node.sysctls.get(name) ?? "0") : undefined;
  }

  setSysctl(name: string, value: string): void {
    this.machine.maybeFail("setSysctl");
    if (!hasSetting(this.#node, name)) throw new KernelError(`set "${name}" to "${value}"`, "ENOENT", 2);
    this.#node.sysctls.set(name, value);
  }

  loadPrograms(object: Uint8Array, options: LoadOptions): Loaded {
    this.machine.maybeFail("loadPrograms");
    this.#pinDirectory = options.pinDirectory;
    return loadFakeObject(this.machine, this.#object, object, options);
  }

  attachments(): readonly (AttachRow & { readonly isCurrent: boolean })[] {
    this.machine.maybeFail("attachments");
    return this.#node.devices.flatMap((d) =>
      [...d.programs].map(([direction, program]) => ({
        link: d.name,
        direction,
        program: program.name,
        isCurrent: this.#pins?.programs.get(program.name)?.id === program.id,
      })),
    );
  }

  get #pins(): FakePins | undefined {
    return this.machine.pins.get(this.#pinDirectory);
  }

  putAttachment(row: AttachRow): void {
    this.machine.maybeFail("putAttachment");
    const op = `attach "${row.program}" to ${row.direction} of "${row.link}"`;
    const program = this.#pins?.programs.get(row.program);
    if (program === undefined) throw new KernelError(op, "ENOENT", 2, `no program "${row.program}" is loaded`);
    this.#device(op, row.link).programs.set(row.direction, program);
  }

  deleteAttachment(row: Pick<AttachRow, "link" | "direction">): void {
    this.machine.maybeFail("deleteAttachment");
    deviceOf(this.#node, row.link)?.programs.delete(row.direction);
  }

  controlGroup(path: string | undefined): Result<ControlGroup> {
    this.machine.maybeFail("controlGroup");
    if (!this.machine.hasSocketPrograms) return err(NO_SOCKET_PROGRAMS);
    const { groups } = this.machine;
    const [at = path, group] = path === undefined ? ([...groups][0] ?? []) : [path, groups.get(path)];
    if (group === undefined || at === undefined) return err(`Cannot look at "${at}": ENOENT`);
    return ok({ path: at, id: group.id });
  }

  socketHooks(): readonly ObservedSocketHook[] {
    this.machine.maybeFail("socketHooks");
    return [...this.machine.groups.values()].flatMap((group) =>
      [...group.programs].map(([hook, program]) => ({
        hook,
        groupId: group.id,
        program: program.name,
        isCurrent: this.#pins?.programs.get(program.name)?.id === program.id,
      })),
    );
  }

  putSocketHook(row: SocketHookRow): void {
    this.machine.maybeFail("putSocketHook");
    const op = `attach "${row.program}" to ${row.hook} of "${row.group.path}"`;
    const program = this.#pins?.programs.get(row.program);
    if (program === undefined) throw new KernelError(op, "ENOENT", 2, `no program "${row.program}" is loaded`);
    const group = this.machine.groups.get(row.group.path);
    if (group === undefined) throw new KernelError(op, "ENOENT", 2, `no group "${row.group.path}"`);
    this.deleteSocketHook(row);
    group.programs.set(row.hook, program);
  }

  deleteSocketHook(row: Pick<SocketHookRow, "hook">): void {
    this.machine.maybeFail("deleteSocketHook");
    for (const group of this.machine.groups.values()) group.programs.delete(row.hook);
  }

  endSockets(cookies: ReadonlySet<bigint>): number {
    this.machine.maybeFail("endSockets");
    return [...cookies].filter((cookie) => this.machine.connectedSockets.delete(cookie)).length;
  }

  maps(): readonly MapInfo[] {
    this.machine.maybeFail("maps");
    return [...(this.#pins?.maps.values() ?? [])]
      .map(({ name, spec }) => ({ name, ...spec }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  mapRows(map: string): readonly MapRow[] {
    this.machine.maybeFail("mapRows");
    return this.#map(map).rows();
  }

  mapCount(map: string): number {
    this.machine.maybeFail("mapCount");
    return this.#map(map).size;
  }

  mapPage(map: string, cursor: Uint8Array | undefined, limit: number): MapPage {
    this.machine.maybeFail("mapPage");
    return this.#map(map).page(cursor, limit);
  }

  mapGet(map: string, key: Uint8Array): Uint8Array | undefined {
    this.machine.maybeFail("mapGet");
    return this.#map(map).get(key);
  }

  putMapRows(map: string, rows: readonly MapRow[]): void {
    this.machine.maybeFail("putMapRows");
    for (const row of rows) this.#map(map).put(row);
  }

  deleteMapKeys(map: string, keys: readonly Uint8Array[]): void {
    this.machine.maybeFail("deleteMapKeys");
    for (const key of keys) this.#map(map).delete(key);
  }

  openRing(map: string): Ring {
    this.machine.maybeFail("openRing");
    const { ring } = this.#map(map);
    if (ring === undefined) throw new KernelError(`open ring "${map}"`, "EINVAL", 22, "the map is no ring buffer");
    return ring.open();
  }

  createPodLink(spec: PodLinkSpec): PodLink {
    this.machine.maybeFail("createPodLink");
    return createFakePodLink(this.machine, spec);
  }

  openPodLink(hostIfname: string, _pod?: Pick<PodLinkSpec, "netns" | "ifname">, alias?: string): void {
    this.machine.maybeFail("openPodLink");
    openFakePodLink(this.machine, hostIfname, alias);
  }

  inspectPodLink(netns: string, ifname: string): PodLink | undefined {
    this.machine.maybeFail("inspectPodLink");
    return inspectFakePodLink(this.machine, netns, ifname);
  }

  setLoopbackUp(netns: string): void {
    this.machine.maybeFail("setLoopbackUp");
    const lo = this.machine.netns(netns)?.devices.find((d) => d.name === "lo");
    if (lo === undefined) throw new KernelError(`set "lo" up in "${netns}"`, "ENOENT", 2, netns);
    lo.isUp = true;
  }

  netnsId(netns: string): string | undefined {
    this.machine.maybeFail("netnsId");
    return this.machine.netns(netns)?.id;
  }

  #device(op: string, name: string): FakeDevice {
    const device = deviceOf(this.#node, name);
    if (device === undefined) throw new KernelError(op, "ENODEV", 19, `no link "${name}"`);
    return device;
  }

  #map(name: string): FakeMap {
    const map = this.#pins?.maps.get(name);
    if (map === undefined) {
      const detail = `no map is pinned below "${this.#pinDirectory}" by that name`;
      throw new KernelError(`open map "${name}"`, "ENOENT", 2, detail);
    }
    return map;
  }

  [Symbol.dispose](): void {
    // Nothing ends with a process.
  }
}

function linkOf(d: FakeDevice): Link {
  return {
    name: d.name,
    ifindex: d.ifindex,
    mac: d.mac,
    mtuBytes: d.mtuBytes,
    isUp: d.isUp,
    hasCarrier: d.isUp && (d.peer === undefined || d.peer.isUp),
    kind: d.kind,
    peerIfindex: d.peer?.ifindex,
    peerNetnsId: d.peer === undefined || d.peer.netns === d.netns ? undefined : Number(d.peer.netns.id.slice(2)) % 1000,
    vxlan: d.vxlanPort === undefined ? undefined : { port: d.vxlanPort, isExternal: true },
    alias: d.alias,
  };
}

function settle(device: FakeDevice, mac: Mac, mtuBytes: number): void {
  device.mac = mac;
  device.mtuBytes = mtuBytes;
  device.isNoArp = true;
  device.isUp = true;
}

function isSameAddr(a: InterfaceAddr, b: InterfaceAddr): boolean {
  return a.addr.text === b.addr.text && a.length === b.length && a.length <= familyBits(a.addr.family);
}

function removeRoute(device: FakeDevice, dst: string): void {
  const at = device.routes.findIndex((r) => r.dst.text === dst && r.protocol === TWILL_PROTOCOL);
  if (at >= 0) device.routes.splice(at, 1);
}
