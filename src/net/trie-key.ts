/** Keys of LPM tries: the length of a prefix in bits, 32 bits in the machine's order, and the bits. */

const LENGTH_BYTES = 4;

/** Bits that count, as far as the key has them. */
export function prefixLengthOf(key: Uint8Array): number {
  const length = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
  return Math.min(length, 8 * (key.length - LENGTH_BYTES));
}

/** The key with another prefix length and all bits behind it clear. */
export function withPrefixLength(key: Uint8Array, length: number): Uint8Array {
  const out = Uint8Array.from(key);
  new DataView(out.buffer).setUint32(0, length, true);
  for (let i = LENGTH_BYTES; i < out.length; i++) {
    const bits = Math.min(8, Math.max(0, length - 8 * (i - LENGTH_BYTES)));
    out[i] = (out[i] ?? 0) & (0xff00 >> bits);
  }
  return out;
}

/** The key as all that mean the same prefix are written: bits behind the length do not count. */
export function canonicalTrieKey(key: Uint8Array): Uint8Array {
  return withPrefixLength(key, prefixLengthOf(key));
}
