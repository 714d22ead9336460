/** The kernel of this machine, seen from one network namespace and one pin directory. */

import { err, type Result } from "../../base/result.ts";
import { NETLINK_ROUTE } from "../../net/netlink/constants.ts";
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
import { type Addon, loadAddon } from "./addon.ts";
import { type AttachBy, type Attachment, AttachmentStore } from "./attachment-store.ts";
import { controlGroupAt, rootControlGroup } from "./control-group.ts";
import {
  deleteAddr,
  deleteLink,
  deleteRoute,
  listAddrs,
  listLinks,
  listRoutes,
  putAddr,
  putLink,
  putRoute,
} from "./device-store.ts";
import { attempt } from "./failure.ts";
import { MapStore } from "./map-store.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { inspectPodLink, settlePodLink } from "./pod-inspect.ts";
import { createPodLink, openPodLink, setLoopbackUp } from "./pod-link.ts";
import { type HasProgramType, ProgramStore } from "./program-store.ts";
import { deleteQdisc, listQdiscs, putQdisc } from "./qdisc-store.ts";
import { openRing } from "./ring.ts";
import { endSockets } from "./socket-end.ts";
import { SocketHookStore } from "./socket-hook-store.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";

/** How a {@link createLinuxKernel} sees the machine. */
export interface LinuxKernelOptions {
  /** Where maps and programs are pinned until loadPrograms says otherwise. */
  readonly pinDirectory: string;
  /** Path of the node's network namespace; undefined: that of the calling thread, now. */
  readonly netns?: string | undefined;
  /** "auto" (the default): tcx where the kernel has it and the row does not ask for clsact. */
  readonly attachBy?: AttachBy | "auto" | undefined;
  /** For kernels that lack a kind of programs; default: this machine's is asked. */
  readonly hasProgramType?: HasProgramType;
}

/**
 * Opens the kernel; dispose it. Nothing is loaded or changed: maps and programs of an earlier process are used as they
 * are until loadPrograms.
 */
export function createLinuxKernel(options: LinuxKernelOptions): Kernel {
  return new LinuxKernel(options);
}

class LinuxKernel implements Kernel {
  readonly #addon: Addon = loadAddon();
  readonly #netnsFd: number;
  readonly #isForeign: boolean;
  readonly #socket: NetlinkSocket;
  readonly #maps: MapStore;
  readonly #programs: ProgramStore;
  readonly #attachments: AttachmentStore;
  readonly #socketHooks: SocketHookStore;
  #pinDirectory: string;
  #isDisposed = false;

  constructor(options: LinuxKernelOptions) {
    const netns = options.netns ?? "/proc/thread-self/ns/net";
    this.#isForeign = options.netns !== undefined;
    this.#netnsFd = attempt("open the node's network namespace", () => this.#addon.openNetns(netns));
    this.#socket = new NetlinkSocket(this.#netnsFd, NETLINK_ROUTE);
    this.#pinDirectory = options.pinDirectory;
    this.#maps = new MapStore(options.pinDirectory);
    this.#programs = new ProgramStore(options.pinDirectory, this.#maps, options.hasProgramType);
    this.#socketHooks = new SocketHookStore(this.#programs, () => this.#pinDirectory);
    this.#attachments = new AttachmentStore({
      socket: this.#socket,
      netnsFd: this.#isForeign ? this.#netnsFd : undefined,
      programs: this.#programs,
      directory: () => this.#pinDirectory,
      attachBy: options.attachBy ?? "auto",
      links: () => this.links(),
    });
  }

  controlGroup(path: string | undefined): Result<ControlGroup> {
    if (!this.#programs.hasSockets) return err(NO_SOCKET_PROGRAMS);
    return path === undefined ? rootControlGroup(`/proc/self/fd/${this.#netnsFd}`) : controlGroupAt(path);
  }

  socketHooks(): readonly ObservedSocketHook[] {
    return this.#socketHooks.all();
  }

  putSocketHook(row: SocketHookRow): void {
    this.#socketHooks.put(row);
  }

  deleteSocketHook(row: Pick<SocketHookRow, "hook">): void {
    this.#socketHooks.delete(row);
  }

  endSockets(cookies: ReadonlySet<bigint>, netnses: readonly string[]): number {
    return [this.#netnsFd, ...netnses].reduce((n: number, netns) => n + endSockets(netns, cookies), 0);
  }

  links(): readonly Link[] {
    return listLinks(this.#socket);
  }

  putLink(row: LinkRow): void {
    putLink(this.#socket, row);
  }

  deleteLink(name: string): void {
    deleteLink(this.#socket, name);
    this.#attachments.forget(name);
  }

  addrs(link: string): readonly InterfaceAddr[] {
    return listAddrs(this.#socket, link);
  }

  putAddr(row: AddrRow): void {
    putAddr(this.#socket, row);
  }

  deleteAddr(row: AddrRow): void {
    deleteAddr(this.#socket, row);
  }

  routes(): readonly Route[] {
    return listRoutes(this.#socket);
  }

  putRoute(row: RouteRow): void {
    putRoute(this.#socket, row);
  }

  deleteRoute(row: Pick<RouteRow, "link" | "dst">): void {
    deleteRoute(this.#socket, row);
  }

  qdiscs(): readonly QdiscRow[] {
    return listQdiscs(this.#socket);
  }

  putQdisc(row: QdiscRow): void {
    putQdisc(this.#socket, row);
  }

  deleteQdisc(row: Pick<QdiscRow, "link">): void {
    deleteQdisc(this.#socket, row.link);
  }

  sysctl(name: string): string | undefined {
    return this.#inNetns(() => readSysctl(name));
  }

  setSysctl(name: string, value: string): void {
    this.#inNetns(() => writeSysctl(name, value));
  }

  loadPrograms(object: Uint8Array, options: LoadOptions): Loaded {
    this.#pinDirectory = options.pinDirectory;
    return this.#programs.load(object, options);
  }

  attachments(): readonly Attachment[] {
    return this.#attachments.all();
  }

  putAttachment(row: AttachRow): void {
    this.#attachments.put(row);
  }

  deleteAttachment(row: Pick<AttachRow, "link" | "direction">): void {
    this.#attachments.delete(row);
  }

  maps(): readonly MapInfo[] {
    return this.#maps.infos();
  }

  mapRows(map: string): readonly MapRow[] {
    return this.#maps.rows(map);
  }

  mapCount(map: string): number {
    return this.#maps.count(map);
  }

  mapPage(map: string, cursor: Uint8Array | undefined, limit: number): MapPage {
    return this.#maps.page(map, cursor, limit);
  }

  mapGet(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#maps.get(map, key);
  }

  putMapRows(map: string, rows: readonly MapRow[]): void {
    this.#maps.put(map, rows);
  }

  deleteMapKeys(map: string, keys: readonly Uint8Array[]): void {
    this.#maps.delete(map, keys);
  }

  openRing(map: string): Ring {
    return openRing(this.#pinDirectory, map);
  }

  createPodLink(spec: PodLinkSpec): PodLink {
    return createPodLink({ socket: this.#socket, netnsFd: this.#netnsFd }, spec);
  }

  openPodLink(hostIfname: string, pod?: Pick<PodLinkSpec, "netns" | "ifname">, alias?: string): void {
    openPodLink(this.#socket, hostIfname, alias);
    if (pod !== undefined) settlePodLink(this.#socket, hostIfname, pod);
  }

  inspectPodLink(netns: string, ifname: string): PodLink | undefined {
    return inspectPodLink(netns, ifname);
  }

  setLoopbackUp(netns: string): void {
    setLoopbackUp(netns);
  }

  netnsId(netns: string): string | undefined {
    return attempt(`look at "${netns}"`, () => this.#addon.netnsId(netns));
  }

  #inNetns<T>(run: () => T): T {
    return this.#isForeign ? this.#addon.withNetns(this.#netnsFd, run) : run();
  }

  [Symbol.dispose](): void {
    // A descriptor that is closed twice may be somebody else's by then.
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#programs[Symbol.dispose]();
    this.#maps[Symbol.dispose]();
    this.#socket[Symbol.dispose]();
    this.#addon.close(this.#netnsFd);
  }
}
