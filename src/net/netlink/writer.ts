/**
 * Writes netlink messages, several into one datagram.
 *
 *     0        4      6      8      12     16
 *     | length | type | flags | seq | port | payload … padded to 4     (nlmsghdr; native byte order)
 *     | length | type | value … padded to 4                            (nlattr: u16, u16)
 */

import { NLA_F_NESTED, NLM_F } from "./constants.ts";

/** Netlink is in the machine's byte order. */
export const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const HEADER_BYTES = 16;
/** Far above anything that Twill batches; a datagram beyond it would be a mistake. */
const MAX_BYTES = 1 << 20;

/** Builds one datagram; every message begun must be ended before the next. */
export class NetlinkWriter {
  #bytes = new Uint8Array(2048);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #message = -1;

  /** Begins a message; REQUEST is added to the flags. */
  begin(type: number, flags: number, sequence: number): this {
    if (this.#message >= 0) throw new Error("A message is begun already");
    this.#message = this.#grow(HEADER_BYTES);
    this.#view.setUint16(this.#message + 4, type, IS_LITTLE_ENDIAN);
    this.#view.setUint16(this.#message + 6, flags | NLM_F.REQUEST, IS_LITTLE_ENDIAN);
    this.#view.setUint32(this.#message + 8, sequence, IS_LITTLE_ENDIAN);
    return this;
  }

  /** Ends the message by filling in its length. */
  end(): this {
    if (this.#message < 0) throw new Error("No message is begun");
    this.#view.setUint32(this.#message, this.#length - this.#message, IS_LITTLE_ENDIAN);
    this.#message = -1;
    return this;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, IS_LITTLE_ENDIAN);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value >>> 0, IS_LITTLE_ENDIAN);
    return this;
  }

  /** An attribute with these bytes as its value. */
  attr(type: number, value: Uint8Array): this {
    const at = this.#attrHeader(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  attrU8(type: number, value: number): this {
    const at = this.#attrHeader(type, 1);
    this.#view.setUint8(at, value);
    return this;
  }

  attrU16(type: number, value: number): this {
    const at = this.#attrHeader(type, 2);
    this.#view.setUint16(at, value, IS_LITTLE_ENDIAN);
    return this;
  }

  attrU32(type: number, value: number): this {
    const at = this.#attrHeader(type, 4);
    this.#view.setUint32(at, value >>> 0, IS_LITTLE_ENDIAN);
    return this;
  }

  /** Network byte order, as ports and EtherTypes are. */
  attrU16Be(type: number, value: number): this {
    const at = this.#attrHeader(type, 2);
    this.#view.setUint16(at, value, false);
    return this;
  }

  /**
   * Text with its terminating NUL, one byte for each character.
   * @throws RangeError for a character that is no byte, or NUL
   */
  attrText(type: number, value: string): this {
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code === 0 || code > 255) throw new RangeError(`Text "${value}" cannot be a netlink attribute`);
    }
    const at = this.#attrHeader(type, value.length + 1);
    for (let i = 0; i < value.length; i++) this.#bytes[at + i] = value.charCodeAt(i);
    return this;
  }

  /** An attribute that holds what `fill` writes. */
  nest(type: number, fill: (writer: this) => void): this {
    const start = this.#attrHeader(type | NLA_F_NESTED, 0) - 4;
    fill(this);
    const length = this.#length - start;
    if (length > 0xffff) throw new RangeError(`An attribute of ${length} bytes is longer than 65535`);
    this.#view.setUint16(start, length, IS_LITTLE_ENDIAN);
    return this;
  }

  /** The datagram; the writer is empty afterwards and may be used again. A view: valid until the next write. */
  take(): Uint8Array {
    if (this.#message >= 0) throw new Error("The last message is not ended");
    const datagram = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return datagram;
  }

  /** Forgets everything written, after a failure in the middle of a message. */
  reset(): void {
    this.#length = 0;
    this.#message = -1;
  }

  #attrHeader(type: number, valueBytes: number): number {
    if (valueBytes > 0xffff - 4) throw new RangeError(`An attribute of ${valueBytes} bytes is longer than 65531`);
    const start = this.#grow(4 + ((valueBytes + 3) & ~3));
    this.#view.setUint16(start, 4 + valueBytes, IS_LITTLE_ENDIAN);
    this.#view.setUint16(start + 2, type, IS_LITTLE_ENDIAN);
    return start + 4;
  }

  /** Room for `count` zero bytes; returns where they begin. The bytes may have moved: take the view afterwards. */
  #grow(count: number): number {
    const start = this.#length;
    const end = start + count;
    if (end > MAX_BYTES) throw new RangeError(`A datagram of ${end} bytes is longer than ${MAX_BYTES}`);
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    } else {
      this.#bytes.fill(0, start, end);
    }
    this.#length = end;
    return start;
  }
}
