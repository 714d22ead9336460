/**
 * What a prober and an echo server say to each other, over TCP and UDP alike.
 *
 *     → twill-echo NONCE SIZE WANT\n  and filler up to SIZE bytes in all
 *     ← twill-echo NONCE WANT NAME ADDRESS PORT\n  and filler up to WANT bytes in all
 *
 * ADDRESS and PORT are the prober's as the server sees them: whoever translated them on the way shows. Anything else
 * that a client says (curl, nc) is answered for people.
 */

const MAGIC = "twill-echo";
/** A request or reply is at most this long; UDP ends at 65507 anyway. */
export const MAX_MESSAGE_BYTES = 1 << 20;
/** A header is at most this long. */
const MAX_HEADER_BYTES = 400;

/** A request's header. */
export interface EchoRequest {
  readonly nonce: string;
  /** Bytes of the whole request. */
  readonly size: number;
  /** Bytes of the whole reply; the header goes in any case. */
  readonly want: number;
}

/** A reply's header. */
export interface EchoReply {
  readonly nonce: string;
  /** Bytes of the whole reply. */
  readonly size: number;
  /** Who answers: `namespace/name` of a pod, a node's name, or `outside`. */
  readonly name: string;
  readonly peerAddress: string;
  readonly peerPort: number;
}

function fill(header: string, size: number): Buffer {
  const head = Buffer.from(header, "latin1");
  return size <= head.length ? head : Buffer.concat([head, Buffer.alloc(size - head.length, "x")]);
}

function firstLine(data: Uint8Array): string[] | undefined {
  const end = data.indexOf(10);
  if (end < 0 || end > MAX_HEADER_BYTES) return undefined;
  const words = Buffer.from(data.subarray(0, end)).toString("latin1").split(" ");
  return words[0] === MAGIC ? words.slice(1) : undefined;
}

function count(word: string | undefined): number | undefined {
  return word !== undefined && /^[0-9]{1,7}$/.test(word) && Number(word) <= MAX_MESSAGE_BYTES
    ? Number(word)
    : undefined;
}

/** The request's bytes. Its size is at least the header's. */
export function encodeRequest(request: EchoRequest): Buffer {
  // The size stands in the header that the size counts: room for seven digits makes it come out.
  const size = Math.max(request.size, MAGIC.length + request.nonce.length + 20);
  return fill(`${MAGIC} ${request.nonce} ${size} ${request.want}\n`, size);
}

/** Reads a request's header; undefined: the line is not complete, or it is none. */
export function decodeRequest(data: Uint8Array): EchoRequest | undefined {
  const words = firstLine(data);
  const [nonce, size, want] = [words?.[0], count(words?.[1]), count(words?.[2])];
  return nonce === undefined || size === undefined || want === undefined ? undefined : { nonce, size, want };
}

/** The reply's bytes. */
export function encodeReply(reply: Omit<EchoReply, "size">, want: number): Buffer {
  const rest = ` ${reply.name} ${reply.peerAddress} ${reply.peerPort}\n`;
  const size = Math.max(want, MAGIC.length + reply.nonce.length + rest.length + 9);
  return fill(`${MAGIC} ${reply.nonce} ${size}${rest}`, size);
}

/** Reads a reply's header; undefined: the line is not complete, or it is none. */
export function decodeReply(data: Uint8Array): EchoReply | undefined {
  const words = firstLine(data);
  const [nonce, size, name, peerAddress, port] = [
    words?.[0],
    count(words?.[1]),
    words?.[2],
    words?.[3],
    count(words?.[4]),
  ];
  if (
    nonce === undefined ||
    size === undefined ||
    name === undefined ||
    peerAddress === undefined ||
    port === undefined
  )
    return undefined;
  return { nonce, size, name, peerAddress, peerPort: port };
}

/** Whether the bytes may still become a request. */
export function mayBeRequest(data: Uint8Array): boolean {
  const head = Buffer.from(data.subarray(0, MAGIC.length)).toString("latin1");
  return MAGIC.startsWith(head) && data.length <= MAX_HEADER_BYTES;
}

/** An IPv4 address that a dual-stack socket shows as IPv6, as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/** The answer to a person's client, whatever it said. HTTP gets HTTP. */
export function plainAnswer(
  name: string,
  address: string,
  port: number,
  said: Uint8Array,
): { readonly text: string; readonly isLast: boolean } {
  const body = `${name} sees ${address} port ${port}\n`;
  const isHttp = /^[A-Z]+ \S+ HTTP\/1/.test(Buffer.from(said.subarray(0, 256)).toString("latin1"));
  if (!isHttp) return { text: body, isLast: false };
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  return { text: head + body, isLast: true };
}
