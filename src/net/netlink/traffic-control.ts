/**
 * RTM_*QDISC and RTM_*TFILTER, as far as clsact with bpf filters needs them. Payload is a tcmsg (family u8, pad 3,
 * index i32, handle u32, parent u32, info u32), attributes.
 */

import { ETH_P_ALL, RTM, TC_H, TCA, TCA_BPF, TCA_BPF_FLAG_ACT_DIRECT } from "./constants.ts";
import { readAttrs, readI32, readNest, readText, readU32 } from "./reader.ts";
import { IS_LITTLE_ENDIAN, type NetlinkWriter } from "./writer.ts";

const TCMSG_BYTES = 20;
/** Twill's place in the chain of a hook; others that ask for a lower number run before it. */
const PRIORITY = 1;
const HANDLE = 1;
/** The lower half of `info` is an EtherType in network order. */
const PROTOCOL = IS_LITTLE_ENDIAN ? ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8) : ETH_P_ALL;

/** A hook of a device. */
export type Hook = "ingress" | "egress";

/** A bpf filter as a message of the kernel's shows it. */
export interface FilterMessage {
  readonly index: number;
  readonly name: string;
  readonly programId: number | undefined;
  readonly handle: number;
  readonly priority: number;
}

function writeTcmsg(
  w: NetlinkWriter,
  message: { readonly index: number; readonly handle: number; readonly parent: number; readonly info: number },
): void {
  w.u8(0).u8(0).u16(0).u32(message.index).u32(message.handle).u32(message.parent).u32(message.info);
}

/** Makes the clsact qdisc of a device. */
export function writeNewClsact(w: NetlinkWriter, index: number, flags: number, sequence: number): void {
  w.begin(RTM.NEWQDISC, flags, sequence);
  writeTcmsg(w, { index, handle: TC_H.CLSACT_HANDLE, parent: TC_H.CLSACT, info: 0 });
  w.attrText(TCA.KIND, "clsact").end();
}

/** Makes or (flag REPLACE) atomically replaces Twill's direct-action filter on a hook. */
export function writeNewFilter(
  w: NetlinkWriter,
  options: {
    readonly index: number;
    readonly hook: Hook;
    readonly programFd: number;
    readonly name: string;
    readonly flags: number;
    readonly sequence: number;
  },
): void {
  w.begin(RTM.NEWTFILTER, options.flags, options.sequence);
  writeTcmsg(w, { index: options.index, handle: HANDLE, parent: parentOf(options.hook), info: INFO });
  w.attrText(TCA.KIND, "bpf").nest(TCA.OPTIONS, () => {
    w.attrU32(TCA_BPF.FD, options.programFd).attrText(TCA_BPF.NAME, options.name);
    w.attrU32(TCA_BPF.FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  });
  w.end();
}

/** Removes Twill's filter from a hook; the qdisc stays, since others may use it. */
export function writeDelFilter(
  w: NetlinkWriter,
  options: { readonly index: number; readonly hook: Hook; readonly flags: number; readonly sequence: number },
): void {
  w.begin(RTM.DELTFILTER, options.flags, options.sequence);
  writeTcmsg(w, { index: options.index, handle: HANDLE, parent: parentOf(options.hook), info: INFO });
  w.attrText(TCA.KIND, "bpf").end();
}

/** Asks for Twill's filter on a hook. */
export function writeGetFilter(
  w: NetlinkWriter,
  options: { readonly index: number; readonly hook: Hook; readonly flags: number; readonly sequence: number },
): void {
  w.begin(RTM.GETTFILTER, options.flags, options.sequence);
  writeTcmsg(w, { index: options.index, handle: HANDLE, parent: parentOf(options.hook), info: INFO });
  w.attrText(TCA.KIND, "bpf").end();
}

const INFO = (PRIORITY << 16) | PROTOCOL;

function parentOf(hook: Hook): number {
  return hook === "ingress" ? TC_H.INGRESS : TC_H.EGRESS;
}

/** Reads the payload of an RTM_NEWTFILTER; undefined when it is no bpf filter with a program. */
export function readFilter(payload: Uint8Array): FilterMessage | undefined {
  const index = readI32(payload, 4);
  const handle = readU32(payload, 8);
  const info = readU32(payload, 16);
  const attrs = readAttrs(payload, TCMSG_BYTES);
  if (index === undefined || handle === undefined || info === undefined || readText(attrs.get(TCA.KIND)) !== "bpf")
    return undefined;
  const options = readNest(attrs, TCA.OPTIONS);
  const name = readText(options.get(TCA_BPF.NAME));
  return name === undefined
    ? undefined
    : { index, name, handle, programId: readU32(options.get(TCA_BPF.ID)), priority: info >>> 16 };
}

/** Whether a filter stands where Twill puts its own. */
export function isOwnFilter(filter: FilterMessage): boolean {
  return filter.handle === HANDLE && filter.priority === PRIORITY;
}
