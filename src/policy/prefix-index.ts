/** Prefixes by the addresses they hold, for the few lengths that are in use. */

import { type Addr, type Family, familyBits } from "../net/addr.ts";
import { type Prefix, prefixCovers } from "../net/prefix.ts";

/** A set of prefixes with a value each. */
export interface PrefixIndex<V> {
  readonly size: number;
  set(prefix: Prefix, value: V): void;
  get(prefix: Prefix): V | undefined;
  delete(prefix: Prefix): void;
  /** Those that hold all addresses of `addr/length`, the longest first. */
  covering(addr: Addr, length?: number): Generator<readonly [Prefix, V]>;
  /** Those that lie in the prefix, itself included. */
  within(prefix: Prefix): Generator<readonly [Prefix, V]>;
  entries(): Iterable<readonly [Prefix, V]>;
}

/** The leading bits of an address: equal for addresses of one family that share them. */
export function leadingBits(addr: Addr, length: number): number | string {
  if (addr.family === 4) return length === 0 ? 0 : addr.word(3) >>> (32 - length);
  let text = "";
  for (let bit = 0; bit < length; bit += 16) {
    const word = addr.word((bit >> 5) as 0 | 1 | 2 | 3);
    const two = (bit & 16) === 0 ? word >>> 16 : word & 0xffff;
    text += String.fromCharCode(length - bit < 16 ? two >> (16 - (length - bit)) : two);
  }
  return text;
}

/** Whether the numbers of two IPv4 prefixes say that the longer lies in the shorter: many are asked about one. */
const liesIn = (bits: number, length: number, outer: number, outerLength: number) =>
  outerLength === 0 || bits >>> (length - outerLength) === outer;

/** Whether there are fewer prefixes of so many bits more in one than entries to be asked. */
const isFewer = (bits: number, entries: number) => bits < 31 && 2 ** bits < entries;

type Entries<V> = Map<number | string, readonly [Prefix, V]>;

/** An index without prefixes. */
export function createPrefixIndex<V>(): PrefixIndex<V> {
  const byLength: Readonly<Record<Family, Map<number, Entries<V>>>> = { 4: new Map(), 6: new Map() };
  let lengths: Readonly<Record<Family, readonly number[]>> = { 4: [], 6: [] };
  let size = 0;
  const of = (p: Prefix) => byLength[p.family].get(p.length);
  function noteLengths(family: Family): void {
    const used = [...byLength[family].keys()].sort((a, b) => b - a);
    lengths = family === 4 ? { ...lengths, 4: used } : { ...lengths, 6: used };
  }
  return {
    get size() {
      return size;
    },
    set(prefix, value) {
      let entries = of(prefix);
      if (entries === undefined) {
        entries = new Map();
        byLength[prefix.family].set(prefix.length, entries);
        noteLengths(prefix.family);
      }
      const key = leadingBits(prefix.addr, prefix.length);
      if (!entries.has(key)) size++;
      entries.set(key, [prefix, value]);
    },
    get: (prefix) => of(prefix)?.get(leadingBits(prefix.addr, prefix.length))?.[1],
    delete(prefix) {
      const entries = of(prefix);
      if (entries?.delete(leadingBits(prefix.addr, prefix.length)) !== true) return;
      size--;
      if (entries.size > 0) return;
      byLength[prefix.family].delete(prefix.length);
      noteLengths(prefix.family);
    },
    *covering(addr, length = familyBits(addr.family)) {
      for (const l of lengths[addr.family]) {
        if (l > length) continue;
        const hit = byLength[addr.family].get(l)?.get(leadingBits(addr, l));
        if (hit !== undefined) yield hit;
      }
    },
    *within(prefix) {
      const outer = leadingBits(prefix.addr, prefix.length);
      for (const [length, entries] of byLength[prefix.family]) {
        if (length < prefix.length) continue;
        if (length === prefix.length) {
          const own = entries.get(outer);
          if (own !== undefined) yield own;
        } else if (typeof outer === "number" && isFewer(length - prefix.length, entries.size)) {
          const first = prefix.length === 0 ? 0 : outer * 2 ** (length - prefix.length);
          for (let i = 0; i < 2 ** (length - prefix.length); i++) {
            const hit = entries.get(first + i);
            if (hit !== undefined) yield hit;
          }
        } else if (typeof outer === "number") {
          for (const [bits, entry] of entries) if (liesIn(bits as number, length, outer, prefix.length)) yield entry;
        } else for (const entry of entries.values()) if (prefixCovers(prefix, entry[0])) yield entry;
      }
    },
    *entries() {
      for (const family of [4, 6] as const) for (const entries of byLength[family].values()) yield* entries.values();
    },
  };
}
