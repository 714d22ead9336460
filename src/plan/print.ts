/**
 * Rows in the words of iproute2, sysctl and bpftool: what an operator would type to get the same. For goldens, for
 * `twill status` and for the log; nothing ever runs these lines.
 */

import { assertNever } from "../base/assert-never.ts";
import { hex } from "../net/bytes-key.ts";
import { ROUTE_PROTOCOL } from "./names.ts";
import type {
  AddrRow,
  AttachRow,
  LinkRow,
  MapRow,
  NodeTables,
  QdiscRow,
  RouteRow,
  SocketHookRow,
  SysctlRow,
} from "./rows.ts";

/** Prints an entry of a map: `undefined` where it has no better words than the bytes. */
export type MapRowPrinter = (map: string, row: MapRow) => string | undefined;

/** `ip link add …`. */
export function printLink(row: LinkRow): string {
  switch (row.kind) {
    case "veth":
      return `ip link add ${row.name} address ${row.mac} mtu ${row.mtuBytes} type veth peer name ${row.peer} address ${row.peerMac} mtu ${row.mtuBytes}`;
    case "vxlan":
      return `ip link add ${row.name} address ${row.mac} mtu ${row.mtuBytes} type vxlan external dstport ${row.port}`;
    default:
      return assertNever(row);
  }
}

/** `ip addr replace …`. */
export function printAddr(row: AddrRow): string {
  return `ip addr replace ${row.address.addr.text}/${row.address.length} dev ${row.link}`;
}

/** `ip route replace …`. */
export function printRoute(row: RouteRow): string {
  return `ip route replace ${row.dst.text} dev ${row.link} src ${row.src.text} mtu ${row.mtuBytes} proto ${ROUTE_PROTOCOL}`;
}

/** `sysctl -w …`, with the slashes that keep names of devices whole. */
export function printSysctl(row: SysctlRow): string {
  return `sysctl -w ${row.name}=${row.value}`;
}

/** `tc qdisc replace … tbf …`. */
export function printQdisc(row: QdiscRow): string {
  return `tc qdisc replace dev ${row.link} root tbf rate ${row.rateBytes}bps burst ${row.burstBytes} limit ${row.limitBytes}`;
}

/** `tcx attach …`. */
export function printAttachment(row: AttachRow): string {
  return `tcx attach ${row.link} ${row.direction} ${row.program}`;
}

/** `bpftool cgroup attach …`. */
export function printSocketHook(row: SocketHookRow): string {
  return `bpftool cgroup attach ${row.group.path} ${row.hook} name ${row.program} multi`;
}

/** `bpftool map update …`, with decoded fields where the printer knows the map. */
export function printMapRow(map: string, row: MapRow, printer?: MapRowPrinter): string {
  return `bpftool map update name ${map} ${printer?.(map, row) ?? `key ${hex(row.key)} value ${hex(row.value)}`}`;
}

/** All rows, one line each, in the order in which they are applied. */
export function printTables(tables: NodeTables, printer?: MapRowPrinter): string {
  const lines = [
    ...tables.links.map(printLink),
    ...tables.sysctls.map(printSysctl),
    ...tables.addrs.map(printAddr),
    ...tables.routes.map(printRoute),
    ...tables.qdiscs.map(printQdisc),
  ];
  for (const [map, rows] of tables.maps) lines.push(...rows.map((row) => printMapRow(map, row, printer)));
  lines.push(...tables.attachments.map(printAttachment), ...tables.socketHooks.map(printSocketHook));
  return lines.map((l) => `${l}\n`).join("");
}
