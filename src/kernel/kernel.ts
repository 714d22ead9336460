/**
 * What the reconciler asks of a kernel. `linux/` is the real one, `fake/` keeps the same promises in memory; one
 * behaviour suite runs on both. Calls are synchronous: a netlink exchange or a bpf(2) call takes microseconds, and a
 * decision must not be overtaken between looking and writing.
 */

import type { Result } from "../base/result.ts";
import type { Addr } from "../net/addr.ts";
import type { Mac } from "../net/mac.ts";
import type { InterfaceAddr, Prefix } from "../net/prefix.ts";
import type { ObservedSocketHook } from "../plan/row-kinds.ts";
import type {
  AddrRow,
  AttachRow,
  ControlGroup,
  LinkRow,
  MapRow,
  QdiscRow,
  RouteRow,
  SocketHookRow,
} from "../plan/rows.ts";

/** A refused or failed kernel call. */
export class KernelError extends Error {
  /** Stable name of the errno, as `EEXIST`. */
  readonly code: string;
  readonly errno: number;
  /** What was being done to what, as `add route 10.1.0.0/16 on "twill0"`. */
  readonly op: string;

  constructor(op: string, code: string, errno: number, detail = "", options?: ErrorOptions) {
    super(`Cannot ${op}: ${code}${detail === "" ? "" : ` (${detail})`}`, options);
    this.name = "KernelError";
    this.code = code;
    this.errno = errno;
    this.op = op;
  }
}

/** A device as the kernel shows it. */
export interface Link {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: Mac | undefined;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  /** `veth`, `vxlan`, … or undefined for a physical device. */
  readonly kind: string | undefined;
  /** For a veth: the other end's index, in the namespace that `peerNetnsId` names (undefined: the same). */
  readonly peerIfindex: number | undefined;
  readonly peerNetnsId: number | undefined;
  readonly vxlan: { readonly port: number; readonly isExternal: boolean } | undefined;
  /** Text that stands on it. */
  readonly alias: string | undefined;
}

/** A route as the kernel shows it. */
export interface Route {
  readonly dst: Prefix;
  readonly link: string;
  readonly gateway: Addr | undefined;
  readonly src: Addr | undefined;
  readonly mtuBytes: number | undefined;
  readonly table: number;
  readonly protocol: number;
}

/** The whole of a pod's own side, created closed (host end down) and opened by {@link Kernel.openPodLink}. */
export interface PodLinkSpec {
  /** Path of the pod's network namespace. */
  readonly netns: string;
  readonly ifname: string;
  readonly mac: Mac;
  readonly hostIfname: string;
  readonly hostMac: Mac;
  readonly mtuBytes: number;
  /** Host addresses, as /32 and /128. */
  readonly addrs: readonly Addr[];
  /** Next hops by family: put on link, with a permanent neighbour that has `hostMac`, and made the default route. */
  readonly gateways: readonly Addr[];
}

/** What {@link Kernel.createPodLink} made, or {@link Kernel.inspectPodLink} found. */
export interface PodLink {
  readonly ifindex: number;
  readonly hostIfindex: number;
  readonly mac: Mac;
  readonly mtuBytes: number;
  readonly addrs: readonly InterfaceAddr[];
  readonly routes: readonly Route[];
  readonly isUp: boolean;
}

/** Fill of one map. */
export interface MapInfo {
  readonly name: string;
  readonly type: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

/** See {@link Kernel.mapPage}. */
export interface MapPage {
  readonly rows: readonly MapRow[];
  /** Cursor of the page that follows; undefined: that was the last. */
  readonly next: Uint8Array | undefined;
}

/** A ring buffer that programs write to. One reader at a time: what it takes is gone for all others. */
export interface Ring extends Disposable {
  /**
   * Takes what waits, oldest first: whole records as src/flow/records.ts reads them, and at most so many bytes. Empty when
   * nothing waits, or the next record alone is longer.
   */
  drain(maxBytes: number): Uint8Array;
  /** Bytes that wait, headers included. */
  pendingBytes(): number;
  /**
   * Calls once as soon as something waits, never from within this call. Disposed: not any more.
   * @param listener must not throw
   */
  whenReadable(listener: () => void): Disposable;
}

/** Longest text on a device: the kernel's IFALIASZ is 256, its own end and ours included. */
export const MAX_ALIAS_BYTES = 254;

/** The kernel of one node. */
export interface Kernel extends Disposable {
  // Devices, addresses, routes, settings of the node's own namespace.
  links(): readonly Link[];
  putLink(row: LinkRow): void;
  /** With it go its addresses, routes, attachments and their pins; nothing happens when there is no such device. */
  deleteLink(name: string): void;
  addrs(link: string): readonly InterfaceAddr[];
  putAddr(row: AddrRow): void;
  deleteAddr(row: AddrRow): void;
  routes(): readonly Route[];
  putRoute(row: RouteRow): void;
  deleteRoute(row: Pick<RouteRow, "link" | "dst">): void;
  /** Token bucket filters that are roots of their devices' egress. Other queueing disciplines are not shown. */
  qdiscs(): readonly QdiscRow[];
  /** Makes or changes it in place, without losing a packet; one of another kind in its place is replaced. */
  putQdisc(row: QdiscRow): void;
  /** The device gets back what it had by default; nothing happens when there is no such device, or nothing to remove. */
  deleteQdisc(row: Pick<QdiscRow, "link">): void;
  /** undefined: there is no such setting. */
  sysctl(name: string): string | undefined;
  setSysctl(name: string, value: string): void;

  // Programs and maps: loaded once, pinned, replaced atomically.
  /**
   * Loads the object's programs and maps, adopting pinned maps of the same layout. Attachments that run an older
   * version are switched over one by one by {@link putAttachment}; until then both versions work on the same maps.
   * Where the kernel has no programs on sockets (CONFIG_CGROUP_BPF), all others are loaded.
   */
  loadPrograms(object: Uint8Array, options: LoadOptions): Loaded;
  /** The programs of Twill's that are attached, and whether each is of the version loaded now. */
  attachments(): readonly (AttachRow & { readonly isCurrent: boolean })[];
  putAttachment(row: AttachRow): void;
  deleteAttachment(row: Pick<AttachRow, "link" | "direction">): void;
  /** The control group at a path; undefined: the one that all processes of this node are in, pods' too. Or why there is none. */
  controlGroup(path: string | undefined): Result<ControlGroup>;
  /** Twill's programs on control groups. */
  socketHooks(): readonly ObservedSocketHook[];
  /** In place of what is on another group, without a moment with neither. @throws KernelError ENOENT for a group that is gone */
  putSocketHook(row: SocketHookRow): void;
  deleteSocketHook(row: Pick<SocketHookRow, "hook">): void;
  /**
   * Ends connected UDP sockets that programs know by these numbers, of the node and of further network namespaces: their
   * owners are told ECONNABORTED. Namespaces that are gone are passed over.
   * @returns how many there were
   */
  endSockets(cookies: ReadonlySet<bigint>, netnses: readonly string[]): number;
  maps(): readonly MapInfo[];
  mapRows(map: string): readonly MapRow[];
  mapCount(map: string): number;
  /**
   * A part of a hash map that programs write to meanwhile: rows after the page whose `next` is given as the cursor. A row
   * may be missed or shown twice when others come and go; page after page ends all the same. A row that stays is shown.
   *
   * Of a trie the cursor is the key of the last row that was shown: once that one has gone, the next page is the first one. Any
   * key that stands there may be given instead.
   */
  mapPage(map: string, cursor: Uint8Array | undefined, limit: number): MapPage;
  mapGet(map: string, key: Uint8Array): Uint8Array | undefined;
  putMapRows(map: string, rows: readonly MapRow[]): void;
  deleteMapKeys(map: string, keys: readonly Uint8Array[]): void;
  /**
   * Opens a map that is a ring, as it is pinned now: a later {@link loadPrograms} that makes it anew, with another size,
   * leaves this one without a writer.
   * @throws KernelError ENOENT when there is no such map, EINVAL when it is none of that kind
   */
  openRing(map: string): Ring;

  // Pods.
  /** @throws KernelError EEXIST when the name exists in the pod, ENOENT when the namespace is gone */
  createPodLink(spec: PodLinkSpec): PodLink;
  /**
   * Sets the host end up: from here on packets flow, if the maps say so. With `pod`, both ends carry them on return.
   * @param alias text that stands on the host end from now on: at most {@link MAX_ALIAS_BYTES} bytes
   */
  openPodLink(hostIfname: string, pod?: Pick<PodLinkSpec, "netns" | "ifname">, alias?: string): void;
  /** undefined: no such interface; throws ENOENT when the namespace itself is gone. */
  inspectPodLink(netns: string, ifname: string): PodLink | undefined;
  /** Sets `lo` up in a namespace. */
  setLoopbackUp(netns: string): void;
  /** `dev:ino` of the namespace, the same for every path to it; undefined when the path leads to none. */
  netnsId(netns: string): string | undefined;
}

/** What {@link Kernel.loadPrograms} did. */
export interface Loaded {
  /** Of the loaded object. */
  readonly tag: string;
  /** It was already the pinned one. */
  readonly isSame: boolean;
  /** Programs of a kind that this kernel does not have; absent: none. */
  readonly leftOut?: readonly string[];
}

/** Why there is no group of sockets on such a kernel. */
export const NO_SOCKET_PROGRAMS = "This kernel has no programs on sockets of control groups (CONFIG_CGROUP_BPF)";

/** How {@link Kernel.loadPrograms} makes what is not there yet. */
export interface LoadOptions {
  /** Directory on a bpffs; made when missing. */
  readonly pinDirectory: string;
  /** Entries by map, instead of the object's own figures. */
  readonly maxEntries: ReadonlyMap<string, number>;
}
