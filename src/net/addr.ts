/**
 * IPv4 and IPv6 addresses as one value of 16 bytes.
 *
 * IPv4 is kept as `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2), so that every map key, table and event has one shape.
 * An address that was written as IPv6 but lies in `::ffff:0:0/96` is the IPv4 address: one address, one spelling.
 */

import { err, ok, type Result } from "../base/result.ts";

/** IP version. */
export type Family = 4 | 6;

/** An immutable address: make it with {@link parseAddr}, {@link addr}, {@link addrFromBytes} or {@link addrFromBigint}. */
export interface Addr {
  readonly family: Family;
  /** 16 bytes, network order; for family 4 the first 12 are `00…00 ff ff`. A copy at each look. */
  readonly bytes: Uint8Array;
  /** 32 bits of the sixteen bytes, signed: `word(0)` is the first four. */
  word(at: 0 | 1 | 2 | 3): number;
  /** Canonical text (RFC 5952; dotted quad for family 4). Equal addresses have equal text. */
  readonly text: string;
}

/** Third word of `::ffff:a.b.c.d`. */
const MAPPED_WORD = 0xffff;

/** Sixteen bytes of an address's words: made when somebody asks, since an agent keeps 60,000 addresses. */
function bytesOf(a: Pick<Addr, "word">): Uint8Array {
  const bytes = new Uint8Array(16);
  for (const at of WORDS) {
    const word = a.word(at);
    bytes[4 * at] = word >>> 24;
    bytes[4 * at + 1] = word >>> 16;
    bytes[4 * at + 2] = word >>> 8;
    bytes[4 * at + 3] = word;
  }
  return bytes;
}

/** One small integer and a text. */
class Addr4 implements Addr {
  readonly text: string;
  readonly #word: number;

  /** @param bytes 16 */
  constructor(bytes: Uint8Array) {
    this.#word = wordOf(bytes, 12);
    this.text = format4(bytes);
    Object.freeze(this);
  }

  get family(): Family {
    return 4;
  }

  get bytes(): Uint8Array {
    return bytesOf(this);
  }

  word(at: 0 | 1 | 2 | 3): number {
    return at === 3 ? this.#word : at === 2 ? MAPPED_WORD : 0;
  }
}

/** Four small integers and a text. */
class Addr6 implements Addr {
  readonly text: string;
  readonly #w0: number;
  readonly #w1: number;
  readonly #w2: number;
  readonly #w3: number;

  /** @param bytes 16 */
  constructor(bytes: Uint8Array) {
    this.#w0 = wordOf(bytes, 0);
    this.#w1 = wordOf(bytes, 4);
    this.#w2 = wordOf(bytes, 8);
    this.#w3 = wordOf(bytes, 12);
    this.text = format6(bytes);
    Object.freeze(this);
  }

  get family(): Family {
    return 6;
  }

  get bytes(): Uint8Array {
    return bytesOf(this);
  }

  word(at: 0 | 1 | 2 | 3): number {
    return at === 0 ? this.#w0 : at === 1 ? this.#w1 : at === 2 ? this.#w2 : this.#w3;
  }
}

/** Whether sixteen bytes are an IPv4 address. */
function isMapped(bytes: Uint8Array): boolean {
  return wordOf(bytes, 0) === 0 && wordOf(bytes, 4) === 0 && wordOf(bytes, 8) === MAPPED_WORD;
}

const WORDS = [0, 1, 2, 3] as const;
const LAST_WORD = [3] as const;

function wordOf(b: Uint8Array, at: number): number {
  return ((b[at] ?? 0) << 24) | ((b[at + 1] ?? 0) << 16) | ((b[at + 2] ?? 0) << 8) | (b[at + 3] ?? 0);
}

/** Bits of an address of the family: 32 or 128. */
export function familyBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * The address in 4 bytes (IPv4) or 16 bytes (IPv6, or IPv4 as mapped), network order. Copies its input.
 * @throws RangeError for any other length
 */
export function addrFromBytes(input: Uint8Array): Addr {
  const bytes = new Uint8Array(16);
  if (input.length === 4) {
    bytes[10] = 0xff;
    bytes[11] = 0xff;
    bytes.set(input, 12);
  } else if (input.length === 16) {
    bytes.set(input);
  } else {
    throw new RangeError(`Cannot make an address from ${input.length} bytes: 4 or 16 are wanted`);
  }
  return isMapped(bytes) ? new Addr4(bytes) : new Addr6(bytes);
}

function format4(b: Uint8Array): string {
  // Joined, not put together one by one: that would leave the pieces behind.
  return [b[12], b[13], b[14], b[15]].join(".");
}

/** RFC 5952: lower case, no leading zeros, the first longest run of at least two zero groups as `::`. */
function format6(b: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((b[i] ?? 0) << 8) | (b[i + 1] ?? 0));
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) {
      bestStart = i;
      bestLength = j - i;
    }
    if (j > i) i = j;
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((g) => g.toString(16))
      .join(":");
  return bestStart < 0 ? hex(0, 8) : [hex(0, bestStart), hex(bestStart + bestLength, 8)].join("::");
}

function parse4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const out = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] ?? "";
    // "010" is octal to some readers and decimal to others: refused, as Go and Kubernetes do.
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    out[i] = Number(part);
  }
  return out;
}

/** Groups between colons; a dotted quad may stand for the last two of an address, so only where `isEnd` is said. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const out: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const quad = isEnd && i === parts.length - 1 ? parse4(part) : undefined;
      if (quad === undefined) return undefined;
      out.push(((quad[0] ?? 0) << 8) | (quad[1] ?? 0), ((quad[2] ?? 0) << 8) | (quad[3] ?? 0));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      out.push(Number.parseInt(part, 16));
    }
  }
  return out;
}

function parse6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  const groups = [...head, ...new Array<number>(gap).fill(0), ...tail];
  const out = new Uint8Array(16);
  for (const [i, g] of groups.entries()) {
    out[2 * i] = g >> 8;
    out[2 * i + 1] = g & 0xff;
  }
  return out;
}

/** Parses a dotted quad or RFC 4291 text. Zone identifiers (`%eth0`), prefixes and leading zeros are refused. */
export function parseAddr(text: string): Result<Addr> {
  const bytes = text.length > 45 ? undefined : text.includes(":") ? parse6(text) : parse4(text);
  return bytes === undefined ? err(`"${text.slice(0, 64)}" is not an IP address`) : ok(addrFromBytes(bytes));
}

/**
 * The address that a literal spells.
 * @throws SyntaxError when it spells none; for literals and tests, never for outside input
 */
export function addr(text: string): Addr {
  const r = parseAddr(text);
  if (!r.ok) throw new SyntaxError(r.error);
  return r.value;
}

/** The zero address of each family: any address, or all of them. */
export const ANY_ADDR: Readonly<Record<Family, Addr>> = { 4: addr("0.0.0.0"), 6: addr("::") };

/** `192.0.2.1:80`, `[2001:db8::1]:80` (RFC 3986 section 3.2.2). */
export function socketText(a: Addr, port: number): string {
  return a.family === 4 ? `${a.text}:${port}` : `[${a.text}]:${port}`;
}

/** The address as a number: 0 … 2^32-1 for family 4, 0 … 2^128-1 for family 6. */
export function addrToBigint(a: Addr): bigint {
  let n = 0n;
  for (const at of a.family === 4 ? LAST_WORD : WORDS) n = (n << 32n) | BigInt(a.word(at) >>> 0);
  return n;
}

/**
 * The address of a number in its family's range.
 * @throws RangeError outside 0 … 2^bits-1
 */
export function addrFromBigint(family: Family, n: bigint): Addr {
  const bits = BigInt(familyBits(family));
  if (n < 0n || n >> bits !== 0n) throw new RangeError(`${n} is outside the IPv${family} address range`);
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  let rest = n;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return addrFromBytes(bytes);
}

/** Whether two addresses are the same. */
export function addrEqual(a: Addr, b: Addr): boolean {
  return a.text === b.text;
}

/** Total order: IPv4 before IPv6 within the mapped byte order; negative, 0 or positive. */
export function compareAddr(a: Addr, b: Addr): number {
  if (a.family !== b.family) return a.family - b.family;
  for (const at of WORDS) {
    const d = (a.word(at) >>> 0) - (b.word(at) >>> 0);
    if (d !== 0) return d;
  }
  return 0;
}

/** The bytes as they stand in a packet of the address's family: 4 or 16. A copy. */
export function wireBytes(a: Addr): Uint8Array {
  return a.family === 4 ? a.bytes.slice(12) : a.bytes;
}
