/** What the generated map codecs stand on: checked writes and reads of fixed layouts. */

/**
 * A view of exactly one structure's bytes.
 * @throws RangeError when there are fewer or more
 */
export function viewOf(bytes: Uint8Array, wanted: number, name: string): DataView {
  if (bytes.length !== wanted)
    throw new RangeError(`Cannot decode ${name} from ${bytes.length} bytes: ${wanted} are wanted`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The value, when it is an unsigned integer of so many bytes; a number that wraps would be another one to the kernel.
 * @throws RangeError otherwise
 */
export function uint(value: number, bytes: 1 | 2 | 4, field: string): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * bytes))
    throw new RangeError(`Cannot encode ${field}: ${value} is not an unsigned integer of ${8 * bytes} bits`);
  return value;
}

/**
 * The value, when it fits 64 unsigned bits.
 * @throws RangeError otherwise
 */
export function uint64(value: bigint, field: string): bigint {
  if (value < 0n || value >> 64n !== 0n) throw new RangeError(`Cannot encode ${field}: ${value} does not fit 64 bits`);
  return value;
}

/**
 * The bytes, when there are as many as the field has.
 * @throws RangeError otherwise
 */
export function exactly(bytes: Uint8Array, wanted: number, field: string): Uint8Array {
  if (bytes.length !== wanted)
    throw new RangeError(`Cannot encode ${field}: ${bytes.length} bytes where ${wanted} are wanted`);
  return bytes;
}

/**
 * Writes an integer, its lowest byte first. Byte by byte: who asks a short array for its buffer takes it off the heap, where it
 * costs several times as much and the collector has to be told of it, and a change of policy writes thousands.
 */
export function putLittle(out: Uint8Array, at: number, bytes: 1 | 2 | 4, value: number): void {
  for (let i = 0; i < bytes; i++) out[at + i] = value >>> (8 * i);
}

/** The same with its highest byte first. */
export function putBig(out: Uint8Array, at: number, bytes: 1 | 2 | 4, value: number): void {
  for (let i = 0; i < bytes; i++) out[at + i] = value >>> (8 * (bytes - 1 - i));
}

/** Writes 64 bits, the lowest byte first. */
export function putLittle64(out: Uint8Array, at: number, value: bigint): void {
  putLittle(out, at, 4, Number(value & 0xffff_ffffn));
  putLittle(out, at + 4, 4, Number(value >> 32n));
}

/** A copy of some bytes of a view. */
export function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length).slice();
}
