/**
 * RTM_*QDISC of kind tbf as a device's root. Payload is a tcmsg (family u8, pad 3, index i32, handle u32, parent u32, info
 * u32), attributes; its options hold a tc_tbf_qopt of 36 bytes:
 *
 *      0          12         24      28       32
 *     | rate      | peakrate | limit | buffer | mtu |        tc_ratespec: cell_log u8, linklayer u8, overhead u16,
 *                                                            cell_align i16, mpu u16, rate u32 (bytes a second)
 */

import { RTM, TC_H, TC_LINKLAYER_ETHERNET, TCA, TCA_TBF } from "./constants.ts";
import { readAttrs, readI32, readNest, readText, readU32 } from "./reader.ts";
import { IS_LITTLE_ENDIAN, type NetlinkWriter } from "./writer.ts";

const TCMSG_BYTES = 20;
const QOPT_BYTES = 36;
const RATE = 8;
const LIMIT = 24;
const BUFFER = 28;
/** Twill's: another handle is somebody else's. */
const HANDLE = 0x5457_0000;
const RATE_32_MAX = 0xffff_ffff;
/** The kernel shows a bucket's depth in ticks of 64 ns (PSCHED_SHIFT). */
const TICK_NS = 64;

/** A bucket: bytes a second, bytes at once, bytes that may wait. */
export interface TokenBucket {
  readonly rateBytes: number;
  readonly burstBytes: number;
  readonly limitBytes: number;
}

/** A root tbf as a message of the kernel's shows it. */
export interface TokenBucketMessage extends TokenBucket {
  readonly index: number;
}

function writeTcmsg(w: NetlinkWriter, index: number, handle: number): void {
  w.u8(0).u8(0).u16(0).u32(index).u32(handle).u32(TC_H.ROOT).u32(0);
}

/** The bucket that holds so many bytes at that rate, in the kernel's ticks; what does not fit is the most there is. */
function ticksOf(bytes: number, rateBytes: number): number {
  return Math.min(0xffff_ffff, Math.ceil((bytes * 1e9) / rateBytes / TICK_NS));
}

function options(bucket: TokenBucket): Uint8Array {
  const bytes = new Uint8Array(QOPT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, TC_LINKLAYER_ETHERNET);
  view.setUint32(RATE, Math.min(bucket.rateBytes, RATE_32_MAX), IS_LITTLE_ENDIAN);
  view.setUint32(LIMIT, bucket.limitBytes, IS_LITTLE_ENDIAN);
  view.setUint32(BUFFER, ticksOf(bucket.burstBytes, bucket.rateBytes), IS_LITTLE_ENDIAN);
  return bytes;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), IS_LITTLE_ENDIAN);
  return bytes;
}

/** Makes a device's root bucket (CREATE, REPLACE: also in place of another). */
export function writeNewTokenBucket(
  w: NetlinkWriter,
  o: { readonly index: number; readonly bucket: TokenBucket; readonly flags: number; readonly sequence: number },
): void {
  w.begin(RTM.NEWQDISC, o.flags, o.sequence);
  writeTcmsg(w, o.index, HANDLE);
  w.attrText(TCA.KIND, "tbf").nest(TCA.OPTIONS, () => {
    w.attr(TCA_TBF.PARMS, options(o.bucket)).attrU32(TCA_TBF.BURST, o.bucket.burstBytes);
    if (o.bucket.rateBytes > RATE_32_MAX) w.attr(TCA_TBF.RATE64, u64(o.bucket.rateBytes));
  });
  w.end();
}

/** Removes a device's root bucket. */
export function writeDelTokenBucket(w: NetlinkWriter, index: number, flags: number, sequence: number): void {
  w.begin(RTM.DELQDISC, flags, sequence);
  writeTcmsg(w, index, HANDLE);
  w.end();
}

/** Asks (flag DUMP) for the qdiscs of all devices. */
export function writeGetQdiscs(w: NetlinkWriter, flags: number, sequence: number): void {
  w.begin(RTM.GETQDISC, flags, sequence);
  w.u8(0).u8(0).u16(0).u32(0).u32(0).u32(0).u32(0).end();
}

/**
 * Reads the payload of an RTM_NEWQDISC; undefined when it is no root tbf of Twill's. The kernel tells the bucket's depth as the time that
 * it takes to fill, so bytes come back rounded.
 */
export function readTokenBucket(payload: Uint8Array): TokenBucketMessage | undefined {
  const index = readI32(payload, 4);
  const attrs = readAttrs(payload, TCMSG_BYTES);
  if (index === undefined || readU32(payload, 8) !== HANDLE || readU32(payload, 12) !== TC_H.ROOT) return undefined;
  if (readText(attrs.get(TCA.KIND)) !== "tbf") return undefined;
  const nest = readNest(attrs, TCA.OPTIONS);
  const parms = nest.get(TCA_TBF.PARMS);
  const [rate, limitBytes, ticks] = [readU32(parms, RATE), readU32(parms, LIMIT), readU32(parms, BUFFER)];
  if (rate === undefined || limitBytes === undefined || ticks === undefined) return undefined;
  const wide = nest.get(TCA_TBF.RATE64);
  const rateBytes =
    wide?.length === 8 ? Number(new DataView(wide.buffer, wide.byteOffset, 8).getBigUint64(0, IS_LITTLE_ENDIAN)) : rate;
  return { index, rateBytes, burstBytes: Math.round((ticks * TICK_NS * rateBytes) / 1e9), limitBytes };
}
