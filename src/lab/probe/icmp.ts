/** ICMP echo messages of both families (RFC 792, RFC 4443 section 4). */

/** An echo reply's content. */
export interface EchoMessage {
  readonly id: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

const TYPES = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;

/** The Internet checksum (RFC 1071). */
export function checksum(data: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += ((data[i] ?? 0) << 8) | (data[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An echo request. For IPv6 the kernel fills in the checksum, which covers addresses that only it knows. */
export function echoRequest(family: 4 | 6, id: number, sequence: number, payload: Uint8Array): Buffer {
  const message = Buffer.alloc(8 + payload.length);
  message[0] = TYPES[family].request;
  message.writeUInt16BE(id, 4);
  message.writeUInt16BE(sequence, 6);
  message.set(payload, 8);
  if (family === 4) message.writeUInt16BE(checksum(message), 2);
  return message;
}

/** Reads what a raw socket received: with the IP header for IPv4, without it for IPv6. undefined: no echo reply. */
export function readEchoReply(family: 4 | 6, data: Buffer): EchoMessage | undefined {
  const start = family === 4 ? ((data[0] ?? 0) & 0xf) * 4 : 0;
  if (data.length < start + 8 || data[start] !== TYPES[family].reply) return undefined;
  return {
    id: data.readUInt16BE(start + 4),
    sequence: data.readUInt16BE(start + 6),
    payload: data.subarray(start + 8),
  };
}
