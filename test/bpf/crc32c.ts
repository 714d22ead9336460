/** SCTP's checksum (RFC 9260 section 6.8, appendix A), bit by bit: the programs compute only what changes in it. */

/** CRC-32C of bytes. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f6_3b78 : 0);
  }
  return ~crc >>> 0;
}

/** A copy of an SCTP packet whose sum is right. */
export function withCrc(packet: Uint8Array): Uint8Array {
  const out = packet.slice();
  const view = new DataView(out.buffer);
  view.setUint32(8, 0);
  view.setUint32(8, crc32c(out), true);
  return out;
}
