/** Prefixes by the addresses they hold, for the few lengths that are in use. */

import { type Addr, type Family, familyBits } from "../net/addr.ts";
import { type Prefix, prefixOf } from "../net/prefix.ts";

/** A set of prefixes with a value each. */
export interface PrefixIndex<V> {
  readonly size: number;
  set(prefix: Prefix, value: V): void;
  get(prefix: Prefix): V | undefined;
  delete(prefix: Prefix): void;
  /** Those that hold all addresses of `addr/length`, the longest first. */
  covering(addr: Addr, length?: number): Generator<readonly [Prefix, V]>;
  entries(): Iterable<readonly [Prefix, V]>;
}

/** An index without prefixes. */
export function createPrefixIndex<V>(): PrefixIndex<V> {
  const entries = new Map<string, readonly [Prefix, V]>();
  const counts: Readonly<Record<Family, number[]>> = { 4: new Array(33).fill(0), 6: new Array(129).fill(0) };
  let lengths: Readonly<Record<Family, number[]>> = { 4: [], 6: [] };
  function count(p: Prefix, by: 1 | -1): void {
    const of = counts[p.family];
    of[p.length] = (of[p.length] ?? 0) + by;
    const used = of.flatMap((n, length) => (n > 0 ? [length] : [])).reverse();
    lengths = p.family === 4 ? { ...lengths, 4: used } : { ...lengths, 6: used };
  }
  return {
    get size() {
      return entries.size;
    },
    set(prefix, value) {
      if (!entries.has(prefix.text)) count(prefix, 1);
      entries.set(prefix.text, [prefix, value]);
    },
    get: (prefix) => entries.get(prefix.text)?.[1],
    delete(prefix) {
      if (entries.delete(prefix.text)) count(prefix, -1);
    },
    *covering(addr, length = familyBits(addr.family)) {
      for (const l of lengths[addr.family]) {
        if (l > length) continue;
        const hit = entries.get(prefixOf(addr, l).text);
        if (hit !== undefined) yield hit;
      }
    },
    entries: () => entries.values(),
  };
}
