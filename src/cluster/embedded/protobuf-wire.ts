/** The wire format of protocol buffers: numbered entries, without their meaning. */

import { type ApiError, badRequest } from "./api-error.ts";

/** How an entry's value lies in the bytes. */
export const WIRE = { varint: 0, eight: 1, bytes: 2 } as const;

/** One numbered value. */
export interface WireEntry {
  readonly number: number;
  readonly wire: number;
  /** A bigint beyond what a number holds exactly. */
  readonly varint: number | bigint;
  readonly bytes: Buffer;
}

const NONE = Buffer.alloc(0);
const FOUR_BYTES = 5;
/** What a field number and its wire type come to at most, exclusive. */
const MAX_TAG = 2 ** 32;

/** What is said of a body that cannot be read. */
export function broken(why: string): ApiError {
  return badRequest(`error decoding the body: ${why}`);
}

class WireReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#buffer.length;
  }

  varint(): number | bigint {
    let low = 0;
    // Up to seven groups of seven bits stay exact in a number.
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = this.#byte();
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return low;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw broken("a number is too long");
  }

  #byte(): number {
    const byte = this.#buffer[this.#at++];
    if (byte === undefined) throw broken("it ends within a number");
    return byte;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#buffer.length) throw broken("it ends within a field");
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }
}

/** The entries of a message. @throws ApiError 400 for bytes that are none */
export function* wireEntries(buffer: Buffer): Generator<WireEntry> {
  const reader = new WireReader(buffer);
  while (!reader.isAtEnd) {
    const tag = Number(reader.varint());
    const [number, wire] = [tag >>> 3, tag & 7];
    if (tag >= MAX_TAG || number === 0) throw broken("a field has no right number");
    if (wire === WIRE.varint) yield { number, wire, varint: reader.varint(), bytes: NONE };
    else if (wire === WIRE.eight) yield { number, wire, varint: 0, bytes: reader.take(8) };
    else if (wire === WIRE.bytes) yield { number, wire, varint: 0, bytes: reader.take(Number(reader.varint())) };
    else if (wire === FOUR_BYTES) yield { number, wire, varint: 0, bytes: reader.take(4) };
    else throw broken(`wire type ${wire} is not used`);
  }
}

/** The varints that stand one behind the other, as a list of numbers may. */
export function* packedVarints(buffer: Buffer): Generator<number | bigint> {
  const reader = new WireReader(buffer);
  while (!reader.isAtEnd) yield reader.varint();
}
