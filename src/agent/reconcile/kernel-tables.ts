/** The tables of a node over a {@link Kernel}: what belongs to Twill in each, and how a row is written. */

import type { Kernel, Link } from "../../kernel/kernel.ts";
import { ENDPOINTS_MAP } from "../../plan/endpoint.ts";
import {
  HOST_LINK,
  isPodDevice,
  isShaperLink,
  isShaperPeer,
  MAIN_TABLE,
  ROUTE_PROTOCOL,
  VXLAN_LINK,
} from "../../plan/names.ts";
import {
  type MapRowPrinter,
  printAddr,
  printAttachment,
  printLink,
  printMapRow,
  printQdisc,
  printRoute,
  printSocketHook,
  printSysctl,
} from "../../plan/print.ts";
import {
  ADDR_ROWS,
  ATTACH_ROWS,
  LINK_ROWS,
  MAP_ROWS,
  type ObservedAttachment,
  type ObservedLink,
  type ObservedRoute,
  type ObservedSocketHook,
  QDISC_ROWS,
  ROUTE_ROWS,
  SOCKET_HOOK_ROWS,
  SYSCTL_ROWS,
} from "../../plan/row-kinds.ts";
import type {
  AddrRow,
  AttachRow,
  LinkRow,
  MapRow,
  QdiscRow,
  RouteRow,
  SocketHookRow,
  SysctlRow,
} from "../../plan/rows.ts";
import { deleteEndpointKeys, putEndpointRows } from "../endpoint-map.ts";
import type { LinksView } from "./links-view.ts";
import type { Table } from "./table.ts";

function withPeer(link: Link, all: readonly Link[]): ObservedLink {
  const isHere = link.peerIfindex !== undefined && link.peerNetnsId === undefined;
  return { ...link, peer: isHere ? all.find((l) => l.ifindex === link.peerIfindex) : undefined };
}

/** Devices of the node itself, and those that limit pods. The peer of the pair is no row of its own: it comes and goes with the pair. */
export function linkTable(kernel: Kernel, links: LinksView): Table<LinkRow, ObservedLink> {
  return {
    name: "links",
    kind: LINK_ROWS,
    observe() {
      const all = links.all();
      return all
        .filter((l) => l.name === HOST_LINK || l.name === VXLAN_LINK || isShaperLink(l.name))
        .map((l) => withPeer(l, all));
    },
    put: (row) => kernel.putLink(row),
    remove: (row) => kernel.deleteLink(row.name),
    print: printLink,
  };
}

/** Addresses of {@link HOST_LINK}: every one there is Twill's, link-local ones aside. */
export function addrTable(kernel: Kernel, links: LinksView): Table<AddrRow, AddrRow> {
  return {
    name: "addrs",
    kind: ADDR_ROWS,
    observe() {
      if (links.index(HOST_LINK) === undefined) return [];
      const rows = kernel.addrs(HOST_LINK).map((address) => ({ link: HOST_LINK, address }));
      return rows.filter((r) => !r.address.addr.text.startsWith("fe80:"));
    },
    put: (row) => kernel.putAddr(row),
    remove: (row) => kernel.deleteAddr(row),
    print: printAddr,
  };
}

/** Routes of the main table that carry Twill's protocol number. */
export function routeTable(kernel: Kernel): Table<RouteRow, ObservedRoute> {
  return {
    name: "routes",
    kind: ROUTE_ROWS,
    observe: () => kernel.routes().filter((r) => r.protocol === ROUTE_PROTOCOL && r.table === MAIN_TABLE),
    put: (row) => kernel.putRoute(row),
    remove: (row) => kernel.deleteRoute(row),
    print: printRoute,
  };
}

/** Limits on the devices that exist for them; another's on another device is not looked at. */
export function qdiscTable(kernel: Kernel): Table<QdiscRow, QdiscRow> {
  return {
    name: "qdiscs",
    kind: QDISC_ROWS,
    isCostly: true,
    observe: () => kernel.qdiscs().filter((q) => isShaperLink(q.link) || isShaperPeer(q.link)),
    put: (row) => kernel.putQdisc(row),
    remove: (row) => kernel.deleteQdisc(row),
    print: printQdisc,
  };
}

/** Kernel settings: nobody owns them, so none is ever taken back. */
export function sysctlTable(kernel: Kernel, desired: () => readonly SysctlRow[]): Table<SysctlRow, SysctlRow> {
  return {
    name: "sysctls",
    kind: SYSCTL_ROWS,
    observe: () =>
      desired().flatMap(({ name }) => {
        const value = kernel.sysctl(name);
        return value === undefined ? [] : [{ name, value }];
      }),
    put: (row) => kernel.setSysctl(row.name, row.value),
    remove: undefined,
    print: printSysctl,
  };
}

/** Programs on devices. Those on pods' devices go with the device: an attachment that is just being made is left alone. */
export function attachTable(kernel: Kernel, links: LinksView): Table<AttachRow, ObservedAttachment> {
  return {
    name: "attachments",
    kind: ATTACH_ROWS,
    isCostly: true,
    // A device that was made anew under its old name has lost its programs.
    fingerprint: (rows) => rows.map((r) => `${printAttachment(r)} ${links.index(r.link)}`).join("\n"),
    observe: () => kernel.attachments(),
    put: (row) => kernel.putAttachment(row),
    remove: (row) => kernel.deleteAttachment(row),
    isKept: (row) => isPodDevice(row.link),
    print: printAttachment,
  };
}

/** Programs on the control group of the node's sockets. */
export function socketHookTable(kernel: Kernel): Table<SocketHookRow, ObservedSocketHook> {
  return {
    name: "socket-hooks",
    kind: SOCKET_HOOK_ROWS,
    isCostly: true,
    fingerprint: (rows) => rows.map((r) => `${printSocketHook(r)} ${r.group.id}`).join("\n"),
    observe: () => kernel.socketHooks(),
    put: (row) => kernel.putSocketHook(row),
    remove: (row) => kernel.deleteSocketHook(row),
    print: printSocketHook,
  };
}

/** Entries of `endpoints`: as {@link mapTable}, and flows are told to look their pods up anew. */
export function endpointTable(kernel: Kernel, printer: MapRowPrinter): Table<MapRow, MapRow> {
  const keys = (rows: readonly MapRow[]) => rows.map((r) => r.key);
  return {
    ...mapTable(kernel, ENDPOINTS_MAP, printer),
    put: (row) => putEndpointRows(kernel, [row]),
    remove: (row) => deleteEndpointKeys(kernel, [row.key]),
    batch: {
      put: (rows) => putEndpointRows(kernel, rows),
      remove: (rows) => deleteEndpointKeys(kernel, keys(rows)),
    },
  };
}

/** Entries of one BPF map: the whole map is Twill's. */
export function mapTable(kernel: Kernel, map: string, printer: MapRowPrinter): Table<MapRow, MapRow> {
  return {
    name: `map/${map}`,
    isCostly: true,
    kind: MAP_ROWS,
    observe: () => kernel.mapRows(map),
    put: (row) => kernel.putMapRows(map, [row]),
    remove: (row) => kernel.deleteMapKeys(map, [row.key]),
    batch: {
      put: (rows) => kernel.putMapRows(map, rows),
      remove: (rows) =>
        kernel.deleteMapKeys(
          map,
          rows.map((r) => r.key),
        ),
    },
    print: (row) => printMapRow(map, row, printer),
  };
}
