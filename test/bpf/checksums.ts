/**
 * Internet checksums (RFC 1071), written without a look at the programs: the tests hold the programs' incremental
 * updates against a sum over the whole packet.
 */

/** Ones' complement sum of big-endian 16-bit words; an odd last byte is the upper half of a word. */
export function sum16(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** The checksum of bytes whose checksum field is zero; with `pseudo` bytes in front. */
export function checksum(bytes: Uint8Array, pseudo: Uint8Array = new Uint8Array(0)): number {
  return ~sum16(bytes, sum16(pseudo)) & 0xffff;
}

/** Pseudo header of RFC 9293 section 3.1 or RFC 8200 section 8.1: addresses as on the wire, then length and protocol. */
export function pseudoHeader(src: Uint8Array, dst: Uint8Array, protocol: number, length: number): Uint8Array {
  const is6 = src.length === 16;
  const out = new Uint8Array(is6 ? 40 : 12);
  const view = new DataView(out.buffer);
  out.set(src, 0);
  out.set(dst, src.length);
  if (is6) {
    view.setUint32(32, length);
    out[39] = protocol;
  } else {
    out[9] = protocol;
    view.setUint16(10, length);
  }
  return out;
}
