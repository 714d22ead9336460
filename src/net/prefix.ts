/** CIDR prefixes of both families (RFC 4632, RFC 4291 section 2.3). Host bits are always zero. */

import { err, ok, type Result } from "../base/result.ts";
import { type Addr, addrFromBigint, addrToBigint, compareAddr, type Family, familyBits, parseAddr } from "./addr.ts";

/** A frozen prefix: make it with {@link parsePrefix}, {@link prefix} or {@link prefixOf}. */
export interface Prefix {
  readonly family: Family;
  /** First address; the bits after `length` are zero. */
  readonly addr: Addr;
  /** 0 … 32 or 0 … 128, both inclusive. */
  readonly length: number;
  /** Canonical text `addr/length`. Equal prefixes have equal text. */
  readonly text: string;
}

/** An address together with the length of the network it stands in, as CNI results and `ip addr` write it. */
export interface InterfaceAddr {
  readonly addr: Addr;
  readonly length: number;
}

const WORDS = [0, 1, 2, 3] as const;

function hostBits(family: Family, length: number): bigint {
  return BigInt(familyBits(family) - length);
}

/**
 * The prefix of `length` bits that holds the address (host bits are cleared).
 * @throws RangeError when the length is outside the family's range
 */
export function prefixOf(a: Addr, length: number): Prefix {
  if (!Number.isInteger(length) || length < 0 || length > familyBits(a.family))
    throw new RangeError(`Prefix length ${length} is outside 0 to ${familyBits(a.family)}`);
  const bits = hostBits(a.family, length);
  const base = addrFromBigint(a.family, (addrToBigint(a) >> bits) << bits);
  return Object.freeze({ family: a.family, addr: base, length, text: `${base.text}/${length}` });
}

/** The prefix that holds exactly one address. */
export function hostPrefix(a: Addr): Prefix {
  const length = familyBits(a.family);
  return Object.freeze({ family: a.family, addr: a, length, text: `${a.text}/${length}` });
}

/** Parses `addr/length`, host bits allowed and kept. */
export function parseInterfaceAddr(text: string): Result<InterfaceAddr> {
  const slash = text.indexOf("/");
  const a = parseAddr(slash < 0 ? text : text.slice(0, slash));
  const lengthText = slash < 0 ? "" : text.slice(slash + 1);
  const length = /^(0|[1-9][0-9]{0,2})$/.test(lengthText) ? Number(lengthText) : -1;
  // "::ffff:10.0.0.0/104" would be a family 4 prefix of length 8 in disguise: refused rather than guessed.
  if (!a.ok || length < 0 || length > familyBits(a.value.family))
    return err(`"${text.slice(0, 64)}" is not a CIDR such as 10.244.0.0/16 or fd00:10:244::/48`);
  return ok({ addr: a.value, length });
}

/** Parses `addr/length`; host bits that are set are an error that names the right spelling. */
export function parsePrefix(text: string): Result<Prefix> {
  const r = parseInterfaceAddr(text);
  if (!r.ok) return r;
  const p = prefixOf(r.value.addr, r.value.length);
  if (p.addr.text !== r.value.addr.text) return err(`"${text}" has host bits set: "${p.text}" would be right`);
  return ok(p);
}

/**
 * The prefix that a literal spells.
 * @throws SyntaxError when it spells none; for literals and tests, never for outside input
 */
export function prefix(text: string): Prefix {
  const r = parsePrefix(text);
  if (!r.ok) throw new SyntaxError(r.error);
  return r.value;
}

/** Whether the address lies in the prefix. */
export function prefixHas(p: Prefix, a: Addr): boolean {
  if (p.family !== a.family) return false;
  let left = mappedLength(p);
  for (const at of WORDS) {
    if (left <= 0) return true;
    const shift = left >= 32 ? 0 : 32 - left;
    if (p.addr.word(at) >>> shift !== a.word(at) >>> shift) return false;
    left -= 32;
  }
  return true;
}

/** Whether `outer` holds every address of `inner`. */
export function prefixCovers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && prefixHas(outer, inner.addr);
}

/** Whether two prefixes share an address. */
export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixCovers(a, b) || prefixCovers(b, a);
}

/** How many addresses the prefix holds. */
export function prefixSize(p: Prefix): bigint {
  return 1n << hostBits(p.family, p.length);
}

/**
 * The address at an offset from the prefix's first one.
 * @throws RangeError when the offset is outside 0 … size-1
 */
export function nthAddr(p: Prefix, offset: bigint): Addr {
  if (offset < 0n || offset >= prefixSize(p)) throw new RangeError(`Offset ${offset} is outside ${p.text}`);
  return addrFromBigint(p.family, addrToBigint(p.addr) + offset);
}

/** Length in the 128-bit space of LPM maps: IPv4 prefixes lie in `::ffff:0:0/96`. */
export function mappedLength(p: Prefix): number {
  return p.family === 4 ? 96 + p.length : p.length;
}

/** What {@link mappedLength} was made from; negative: no prefix of the family is so short. */
export function unmappedLength(family: Family, length: number): number {
  return family === 4 ? length - 96 : length;
}

/** Total order by address, then by length. */
export function comparePrefix(a: Prefix, b: Prefix): number {
  return compareAddr(a.addr, b.addr) || a.length - b.length;
}
