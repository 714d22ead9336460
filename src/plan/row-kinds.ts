/** Keys and comparison of the tables of a node: which rows speak of the same thing, and when it needs no write. */

import { remembered } from "../base/remembered.ts";
import type { Addr } from "../net/addr.ts";
import { bytesEqual, bytesKey } from "../net/bytes-key.ts";
import type { Mac } from "../net/mac.ts";
import type { Prefix } from "../net/prefix.ts";
import type { RowKind } from "./diff.ts";
import { ROUTE_PROTOCOL } from "./names.ts";
import type {
  AddrRow,
  AttachRow,
  LinkRow,
  MapRow,
  QdiscRow,
  RouteRow,
  SocketHook,
  SocketHookRow,
  SysctlRow,
} from "./rows.ts";

/** A device of Twill's as the kernel shows it. */
export interface ObservedLink {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: Mac | undefined;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly kind: string | undefined;
  readonly peerIfindex: number | undefined;
  readonly vxlan: { readonly port: number; readonly isExternal: boolean } | undefined;
  /** For a veth whose peer is in the same namespace. */
  readonly peer:
    | { readonly name: string; readonly mac: Mac | undefined; readonly mtuBytes: number; readonly isUp: boolean }
    | undefined;
}

function linkMatches(want: LinkRow, now: ObservedLink): boolean {
  if (now.kind !== want.kind || now.mac !== want.mac || now.mtuBytes !== want.mtuBytes || !now.isUp) return false;
  if (want.kind === "vxlan") return now.vxlan?.isExternal === true && now.vxlan.port === want.port;
  const { peer } = now;
  return peer?.name === want.peer && peer.mac === want.peerMac && peer.mtuBytes === want.mtuBytes && peer.isUp;
}

/** Devices, by name. */
export const LINK_ROWS: RowKind<LinkRow, ObservedLink> = {
  desiredKey: (row) => row.name,
  observedKey: (row) => row.name,
  matches: linkMatches,
};

function addrKey(row: AddrRow): string {
  return `${row.link} ${row.address.addr.text}/${row.address.length}`;
}

/** Addresses: being there is all. */
export const ADDR_ROWS: RowKind<AddrRow, AddrRow> = {
  desiredKey: addrKey,
  observedKey: addrKey,
  matches: () => true,
};

/** A route as the kernel shows it. */
export interface ObservedRoute {
  readonly link: string;
  readonly dst: Prefix;
  readonly src: Addr | undefined;
  readonly mtuBytes: number | undefined;
  readonly protocol: number;
}

/** Routes, by destination and device: two devices may have routes to one destination, and only ours is compared. */
export const ROUTE_ROWS: RowKind<RouteRow, ObservedRoute> = {
  desiredKey: (row) => `${row.dst.text} ${row.link}`,
  observedKey: (row) => `${row.dst.text} ${row.link}`,
  matches: (want, now) =>
    now.src?.text === want.src.text && now.mtuBytes === want.mtuBytes && now.protocol === ROUTE_PROTOCOL,
};

/** Kernel settings, by name. */
export const SYSCTL_ROWS: RowKind<SysctlRow, SysctlRow> = {
  desiredKey: (row) => row.name,
  observedKey: (row) => row.name,
  matches: (want, now) => want.value === now.value,
};

/** The kernel keeps a bucket's depth as a time: what comes back is as near as that. */
function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1024 + Math.max(a, b) / 1000;
}

/** Limits of devices, by device. */
export const QDISC_ROWS: RowKind<QdiscRow, QdiscRow> = {
  desiredKey: (row) => row.link,
  observedKey: (row) => row.link,
  matches: (want, now) =>
    want.rateBytes === now.rateBytes && want.limitBytes === now.limitBytes && isNear(want.burstBytes, now.burstBytes),
};

/** A program on a device as the kernel shows it. */
export interface ObservedAttachment extends AttachRow {
  /** Of the version that is loaded now. */
  readonly isCurrent: boolean;
}

/** Attachments, by device and direction: each hook has one program of Twill's. */
export const ATTACH_ROWS: RowKind<AttachRow, ObservedAttachment> = {
  desiredKey: (row) => `${row.link} ${row.direction}`,
  observedKey: (row) => `${row.link} ${row.direction}`,
  matches: (want, now) => want.program === now.program && now.isCurrent,
};

/** A program on a control group as the kernel shows it. */
export interface ObservedSocketHook {
  readonly hook: SocketHook;
  readonly program: string;
  /** The `id` of its group. */
  readonly groupId: number;
  /** Of the version that is loaded now. */
  readonly isCurrent: boolean;
}

/** Socket hooks, by hook: a node has one control group for all of its sockets. */
export const SOCKET_HOOK_ROWS: RowKind<SocketHookRow, ObservedSocketHook> = {
  desiredKey: (row) => row.hook,
  observedKey: (row) => row.hook,
  matches: (want, now) => want.program === now.program && want.group.id === now.groupId && now.isCurrent,
};

/** Keys of wanted rows, which stay the same objects from run to run. */
const mapKey = remembered((row: MapRow) => bytesKey(row.key));

/** Entries of a BPF map, by key. */
export const MAP_ROWS: RowKind<MapRow, MapRow> = {
  desiredKey: mapKey,
  observedKey: (row) => bytesKey(row.key),
  matches: (want, now) => bytesEqual(want.value, now.value),
};
