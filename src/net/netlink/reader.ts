/**
 * Reads netlink messages and attributes. Bytes may be hostile or cut: nothing here throws, and what does not fit is
 * left out and said so.
 */

import { NLA_TYPE_MASK, NLM_F, NLMSG, NLMSGERR_ATTR } from "./constants.ts";
import { IS_LITTLE_ENDIAN } from "./writer.ts";

const HEADER_BYTES = 16;
/** Names have 15 bytes, explanations some 80. */
const MAX_TEXT = 1024;

/** One message of a datagram. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Everything after the header; a view of the datagram. */
  readonly payload: Uint8Array;
}

/** An error or acknowledgement. */
export interface NetlinkError {
  /** 0 is an acknowledgement; else the errno, positive. */
  readonly errno: number;
  /** The kernel's own explanation; empty when there is none. */
  readonly detail: string;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The messages of a datagram; `isWhole` is false when bytes were left over that make no message. */
export function readMessages(datagram: Uint8Array): {
  readonly messages: readonly NetlinkMessage[];
  readonly isWhole: boolean;
} {
  const view = viewOf(datagram);
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= datagram.length) {
    const length = view.getUint32(at, IS_LITTLE_ENDIAN);
    if (length < HEADER_BYTES || length > datagram.length - at) return { messages, isWhole: false };
    messages.push({
      type: view.getUint16(at + 4, IS_LITTLE_ENDIAN),
      flags: view.getUint16(at + 6, IS_LITTLE_ENDIAN),
      sequence: view.getUint32(at + 8, IS_LITTLE_ENDIAN),
      payload: datagram.subarray(at + HEADER_BYTES, at + length),
    });
    at += (length + 3) & ~3;
  }
  return { messages, isWhole: at >= datagram.length };
}

/** The attributes from an offset on, by type without its flag bits; of a type that comes twice the last one. */
export function readAttrs(bytes: Uint8Array, offset = 0): ReadonlyMap<number, Uint8Array> {
  const attrs = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  let at = offset;
  while (at + 4 <= bytes.length) {
    const length = view.getUint16(at, IS_LITTLE_ENDIAN);
    if (length < 4 || length > bytes.length - at) break;
    attrs.set(view.getUint16(at + 2, IS_LITTLE_ENDIAN) & NLA_TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return attrs;
}

/** The attributes inside an attribute; none when it is missing. */
export function readNest(attrs: ReadonlyMap<number, Uint8Array>, type: number): ReadonlyMap<number, Uint8Array> {
  const value = attrs.get(type);
  return value === undefined ? new Map() : readAttrs(value);
}

/** A number at an offset; undefined when the bytes end before it. */
export function readU8(bytes: Uint8Array | undefined, offset = 0): number | undefined {
  return bytes?.[offset];
}

/** See {@link readU8}. */
export function readU16(bytes: Uint8Array | undefined, offset = 0): number | undefined {
  return bytes === undefined || bytes.length < offset + 2
    ? undefined
    : viewOf(bytes).getUint16(offset, IS_LITTLE_ENDIAN);
}

/** See {@link readU8}; network byte order. */
export function readU16Be(bytes: Uint8Array | undefined, offset = 0): number | undefined {
  return bytes === undefined || bytes.length < offset + 2 ? undefined : viewOf(bytes).getUint16(offset, false);
}

/** See {@link readU8}. */
export function readU32(bytes: Uint8Array | undefined, offset = 0): number | undefined {
  return bytes === undefined || bytes.length < offset + 4
    ? undefined
    : viewOf(bytes).getUint32(offset, IS_LITTLE_ENDIAN);
}

/** See {@link readU8}. */
export function readI32(bytes: Uint8Array | undefined, offset = 0): number | undefined {
  return bytes === undefined || bytes.length < offset + 4
    ? undefined
    : viewOf(bytes).getInt32(offset, IS_LITTLE_ENDIAN);
}

/** Text up to its first NUL, one character for each byte; undefined when the attribute is missing. */
export function readText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)).subarray(0, MAX_TEXT));
}

/** The error or acknowledgement that a message of type ERROR or DONE carries; undefined for other messages. */
export function readError(message: NetlinkMessage): NetlinkError | undefined {
  if (message.type !== NLMSG.ERROR && message.type !== NLMSG.DONE) return undefined;
  const code = readI32(message.payload) ?? 0;
  let offset = 4;
  if (message.type === NLMSG.ERROR) {
    // After the code stands the request's header, and without CAPPED (and with an error) its payload too.
    const requestBytes = readU32(message.payload, 4) ?? 0;
    const isCapped = (message.flags & NLM_F.CAPPED) !== 0 || code === 0;
    offset += isCapped ? HEADER_BYTES : (requestBytes + 3) & ~3;
  }
  const hasAttrs = (message.flags & NLM_F.ACK_TLVS) !== 0;
  const detail = hasAttrs ? readText(readAttrs(message.payload, offset).get(NLMSGERR_ATTR.MSG)) : undefined;
  return { errno: code < 0 ? -code : code, detail: detail ?? "" };
}
