/**
 * RTM_*ROUTE: routes. Payload is an rtmsg (family u8, destination length u8, source length u8, tos u8, table u8,
 * protocol u8, scope u8, type u8, flags u32), attributes.
 */

import { type Addr, ANY_ADDR, wireBytes } from "../addr.ts";
import { type Prefix, prefixOf } from "../prefix.ts";
import { familyNumber, readAddr } from "./address.ts";
import { AF, RT_SCOPE, RT_TABLE_MAIN, RTA, RTAX_MTU, RTM, RTM_F_CLONED, RTN_UNICAST } from "./constants.ts";
import { readAttrs, readNest, readU8, readU32 } from "./reader.ts";
import type { NetlinkWriter } from "./writer.ts";

const RTMSG_BYTES = 12;

/** A route to make or remove, in the main table. */
export interface RouteFields {
  readonly dst: Prefix;
  readonly index: number;
  /** Next hop; a route that reaches it on the link must stand before. */
  readonly gateway?: Addr | undefined;
  readonly src?: Addr | undefined;
  readonly mtuBytes?: number | undefined;
  /** Metric: lower ones win. 0 or undefined is the kernel's choice: 0 in IPv4, 1024 in IPv6. */
  readonly priority?: number | undefined;
  readonly protocol: number;
}

/** A unicast route as a message of the kernel's shows it. */
export interface RouteMessage {
  readonly dst: Prefix;
  readonly index: number | undefined;
  readonly gateway: Addr | undefined;
  readonly src: Addr | undefined;
  readonly mtuBytes: number | undefined;
  readonly table: number;
  readonly protocol: number;
}

/** Makes a route; REPLACE or EXCL by flags. */
export function writeNewRoute(w: NetlinkWriter, route: RouteFields, flags: number, sequence: number): void {
  const isLinkScope = route.gateway === undefined && route.dst.family === 4;
  w.begin(RTM.NEWROUTE, flags, sequence);
  writeRtmsg(w, route, isLinkScope ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE);
  w.attrU32(RTA.OIF, route.index);
  if (route.priority !== undefined) w.attrU32(RTA.PRIORITY, route.priority);
  if (route.gateway !== undefined) w.attr(RTA.GATEWAY, wireBytes(route.gateway));
  if (route.src !== undefined) w.attr(RTA.PREFSRC, wireBytes(route.src));
  const { mtuBytes } = route;
  if (mtuBytes !== undefined) w.nest(RTA.METRICS, () => w.attrU32(RTAX_MTU, mtuBytes));
  w.end();
}

/** Removes the route to a destination through a device, whatever its other attributes; protocol 0 is any. */
export function writeDelRoute(w: NetlinkWriter, route: RouteFields, flags: number, sequence: number): void {
  w.begin(RTM.DELROUTE, flags, sequence);
  writeRtmsg(w, route, RT_SCOPE.NOWHERE);
  w.attrU32(RTA.OIF, route.index);
  w.end();
}

function writeRtmsg(w: NetlinkWriter, route: RouteFields, scope: number): void {
  w.u8(familyNumber(route.dst.addr)).u8(route.dst.length).u8(0).u8(0);
  w.u8(RT_TABLE_MAIN).u8(route.protocol).u8(scope).u8(RTN_UNICAST);
  w.u32(0);
  if (route.dst.length > 0) w.attr(RTA.DST, wireBytes(route.dst.addr));
}

/** Asks for the main table's routes (flag DUMP); family 0: both. `index` 0: through any device. */
export function writeGetRoutes(
  w: NetlinkWriter,
  options: { readonly family: number; readonly index: number; readonly flags: number; readonly sequence: number },
): void {
  w.begin(RTM.GETROUTE, options.flags, options.sequence);
  w.u8(options.family).u8(0).u8(0).u8(0).u8(RT_TABLE_MAIN).u8(0).u8(0).u8(0).u32(0);
  w.attrU32(RTA.TABLE, RT_TABLE_MAIN);
  if (options.index !== 0) w.attrU32(RTA.OIF, options.index);
  w.end();
}

/** Reads the payload of an RTM_NEWROUTE; undefined for what is no unicast route of IPv4 or IPv6, or a cache entry. */
export function readRoute(payload: Uint8Array): RouteMessage | undefined {
  const family = readU8(payload, 0);
  const length = readU8(payload, 1) ?? 0;
  const flags = readU32(payload, 8);
  const isKnown = family === AF.INET || family === AF.INET6;
  if (!isKnown || flags === undefined || readU8(payload, 7) !== RTN_UNICAST || (flags & RTM_F_CLONED) !== 0)
    return undefined;
  const attrs = readAttrs(payload, RTMSG_BYTES);
  const dst = attrs.has(RTA.DST) ? readAddr(family, attrs.get(RTA.DST)) : ANY_ADDR[family === AF.INET ? 4 : 6];
  // A prefix below ::ffff:0:0/96 is spelled as IPv4 everywhere in Twill: such a route cannot be named, so it is left out.
  if (dst === undefined || familyNumber(dst) !== family || length > (family === AF.INET ? 32 : 128)) return undefined;
  return {
    dst: prefixOf(dst, length),
    index: readU32(attrs.get(RTA.OIF)),
    gateway: readAddr(family, attrs.get(RTA.GATEWAY)),
    src: readAddr(family, attrs.get(RTA.PREFSRC)),
    mtuBytes: readU32(readNest(attrs, RTA.METRICS).get(RTAX_MTU)),
    table: readU32(attrs.get(RTA.TABLE)) ?? readU8(payload, 4) ?? 0,
    protocol: readU8(payload, 5) ?? 0,
  };
}
