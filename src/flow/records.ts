/**
 * What a drained ring holds: records of u32 length, u32 zero, data, each padded to 8 bytes, in native byte order
 * (native/addon_rings.c).
 */

/** Bytes in front of each record's data. */
export const RECORD_HEADER_BYTES = 8;

/** Bytes that a record of so much data takes. */
export function recordBytes(length: number): number {
  return (length + RECORD_HEADER_BYTES + 7) & ~7;
}

/** A view of bytes that may lie anywhere in their buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Shows each record's data in turn.
 * @param visit is given the offset of the data and its length
 * @returns bytes at the end that are no whole record: 0 from a ring that keeps its word
 */
export function eachRecord(view: DataView, visit: (offset: number, length: number) => void): number {
  let at = 0;
  while (at + RECORD_HEADER_BYTES <= view.byteLength) {
    const length = view.getUint32(at, true);
    if (at + RECORD_HEADER_BYTES + length > view.byteLength) break;
    visit(at + RECORD_HEADER_BYTES, length);
    at += recordBytes(length);
  }
  return Math.max(0, view.byteLength - at);
}
