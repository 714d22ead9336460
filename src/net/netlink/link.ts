/** RTM_*LINK: devices. Payload is an ifinfomsg (family u8, pad u8, type u16, index i32, flags u32, change u32), attributes. */

import {
  ADDR_GEN_MODE_NONE,
  AF,
  IFLA,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INFO,
  IFLA_VXLAN,
  NLM_F,
  RTEXT_FILTER_SKIP_STATS,
  RTM,
  VETH_INFO_PEER,
} from "./constants.ts";
import { readAttrs, readI32, readNest, readText, readU8, readU16Be, readU32 } from "./reader.ts";
import type { NetlinkWriter } from "./writer.ts";

const IFINFOMSG_BYTES = 16;

/** What a device is made with, or one end of a veth pair. */
export interface LinkFields {
  readonly name: string;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  /** Flags that are set from the start. */
  readonly flags: number;
  /** Descriptor of the namespace to make it in; undefined: the socket's. */
  readonly netnsFd?: number | undefined;
  readonly hasOneQueue?: boolean | undefined;
}

/** A device as a message of the kernel's shows it. */
export interface LinkMessage {
  readonly index: number;
  readonly flags: number;
  readonly name: string;
  readonly mac: Uint8Array | undefined;
  readonly mtuBytes: number;
  readonly hasCarrier: boolean;
  readonly kind: string | undefined;
  /** IFLA_LINK: for a veth the other end. */
  readonly linkIndex: number | undefined;
  readonly linkNetnsId: number | undefined;
  readonly addrGenMode: number | undefined;
  readonly vxlan: { readonly port: number; readonly isExternal: boolean } | undefined;
  /** Free text of at most 255 bytes. */
  readonly alias: string | undefined;
}

function writeIfinfo(w: NetlinkWriter, index: number, flags: number, change: number): void {
  w.u8(AF.UNSPEC).u8(0).u16(0).u32(index).u32(flags).u32(change);
}

function writeFields(w: NetlinkWriter, fields: LinkFields): void {
  w.attrText(IFLA.IFNAME, fields.name).attrU32(IFLA.MTU, fields.mtuBytes).attr(IFLA.ADDRESS, fields.mac);
  if (fields.netnsFd !== undefined) w.attrU32(IFLA.NET_NS_FD, fields.netnsFd);
  // A veth has by default a queue, with its sysfs objects, for every possible CPU; without NAPI only the first is used.
  if (fields.hasOneQueue === true) w.attrU32(IFLA.NUM_TX_QUEUES, 1).attrU32(IFLA.NUM_RX_QUEUES, 1);
}

/** Makes a veth pair; both ends may be placed in namespaces. Fails when a name exists. */
export function writeNewVeth(
  w: NetlinkWriter,
  options: { readonly link: LinkFields; readonly peer: LinkFields; readonly flags: number; readonly sequence: number },
): void {
  const { link, peer } = options;
  w.begin(RTM.NEWLINK, options.flags | NLM_F.CREATE | NLM_F.EXCL, options.sequence);
  writeIfinfo(w, 0, link.flags, link.flags);
  writeFields(w, link);
  w.nest(IFLA.LINKINFO, () => {
    w.attrText(IFLA_INFO.KIND, "veth").nest(IFLA_INFO.DATA, () => {
      w.nest(VETH_INFO_PEER, () => {
        writeIfinfo(w, 0, peer.flags, peer.flags);
        writeFields(w, peer);
      });
    });
  });
  w.end();
}

/** Makes a VXLAN device in external mode, which takes IPv6 outer packets without UDP checksum too (RFC 6935). */
export function writeNewVxlan(
  w: NetlinkWriter,
  options: { readonly link: LinkFields; readonly port: number; readonly flags: number; readonly sequence: number },
): void {
  const { link } = options;
  w.begin(RTM.NEWLINK, options.flags | NLM_F.CREATE | NLM_F.EXCL, options.sequence);
  writeIfinfo(w, 0, link.flags, link.flags);
  writeFields(w, link);
  w.nest(IFLA.LINKINFO, () => {
    w.attrText(IFLA_INFO.KIND, "vxlan").nest(IFLA_INFO.DATA, () => {
      w.attrU8(IFLA_VXLAN.COLLECT_METADATA, 1);
      w.attrU8(IFLA_VXLAN.LEARNING, 0);
      w.attrU8(IFLA_VXLAN.UDP_ZERO_CSUM6_RX, 1);
      w.attrU16Be(IFLA_VXLAN.PORT, options.port);
    });
  });
  w.end();
}

/** Changes to a device that exists; what is undefined stays. */
export interface LinkChange {
  readonly index: number;
  readonly mac?: Uint8Array | undefined;
  readonly mtuBytes?: number | undefined;
  /** Flags to set or clear, by mask. */
  readonly setFlags?: number | undefined;
  readonly flagMask?: number | undefined;
  /** No IPv6 addresses of the kernel's own making. */
  readonly noAddrGen?: boolean | undefined;
  /** Free text of at most 255 bytes. */
  readonly alias?: string | undefined;
}

/** Changes a device. The kernel applies flags before IPv6 modes: send the mode in a message of its own, first. */
export function writeSetLink(w: NetlinkWriter, change: LinkChange, flags: number, sequence: number): void {
  w.begin(RTM.SETLINK, flags, sequence);
  writeIfinfo(w, change.index, change.setFlags ?? 0, change.flagMask ?? 0);
  if (change.mac !== undefined) w.attr(IFLA.ADDRESS, change.mac);
  if (change.mtuBytes !== undefined) w.attrU32(IFLA.MTU, change.mtuBytes);
  if (change.alias !== undefined) w.attrText(IFLA.IFALIAS, change.alias);
  if (change.noAddrGen === true)
    w.nest(IFLA.AF_SPEC, () => w.nest(AF.INET6, () => w.attrU8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE)));
  w.end();
}

/** Removes a device by index. */
export function writeDelLink(w: NetlinkWriter, index: number, flags: number, sequence: number): void {
  w.begin(RTM.DELLINK, flags, sequence);
  writeIfinfo(w, index, 0, 0);
  w.end();
}

/** Asks for one device, by name, or (flag DUMP, no name) for all; without statistics. */
export function writeGetLink(w: NetlinkWriter, name: string | undefined, flags: number, sequence: number): void {
  w.begin(RTM.GETLINK, flags, sequence);
  writeIfinfo(w, 0, 0, 0);
  if (name !== undefined) w.attrText(IFLA.IFNAME, name);
  w.attrU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  w.end();
}

function readVxlan(data: ReadonlyMap<number, Uint8Array>): LinkMessage["vxlan"] {
  const port = readU16Be(data.get(IFLA_VXLAN.PORT));
  if (port === undefined) return undefined;
  return { port, isExternal: readU8(data.get(IFLA_VXLAN.COLLECT_METADATA)) === 1 };
}

/** Reads the payload of an RTM_NEWLINK or RTM_DELLINK; undefined when it is none. */
export function readLink(payload: Uint8Array): LinkMessage | undefined {
  const index = readI32(payload, 4);
  const flags = readU32(payload, 8);
  const attrs = readAttrs(payload, IFINFOMSG_BYTES);
  const name = readText(attrs.get(IFLA.IFNAME));
  if (index === undefined || flags === undefined || name === undefined) return undefined;
  const info = readNest(attrs, IFLA.LINKINFO);
  const kind = readText(info.get(IFLA_INFO.KIND));
  const mac = attrs.get(IFLA.ADDRESS);
  return {
    index,
    flags,
    name,
    mac: mac?.length === 6 ? mac : undefined,
    mtuBytes: readU32(attrs.get(IFLA.MTU)) ?? 0,
    hasCarrier: readU8(attrs.get(IFLA.CARRIER)) === 1,
    kind,
    linkIndex: readU32(attrs.get(IFLA.LINK)),
    linkNetnsId: readI32(attrs.get(IFLA.LINK_NETNSID)),
    addrGenMode: readU8(readNest(readNest(attrs, IFLA.AF_SPEC), AF.INET6).get(IFLA_INET6_ADDR_GEN_MODE)),
    vxlan: kind === "vxlan" ? readVxlan(readNest(info, IFLA_INFO.DATA)) : undefined,
    alias: readText(attrs.get(IFLA.IFALIAS)),
  };
}
