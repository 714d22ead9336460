/** Known addresses by blocks of the size that nodes' pod CIDRs have, so that those in a prefix are found without the others. */

import type { Addr, Family } from "../net/addr.ts";
import { type Prefix, prefixCovers, prefixHas, prefixOf } from "../net/prefix.ts";
import { leadingBits } from "./prefix-index.ts";

const BLOCK_LENGTH: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };

interface Block<V> {
  readonly prefix: Prefix;
  readonly values: Map<string, { readonly addr: Addr; readonly value: V }>;
}

/** One value for each address. */
export interface AddressBlocks<V> {
  set(addr: Addr, value: V): void;
  delete(addr: Addr): void;
  /** Values of the addresses in the prefix. */
  within(prefix: Prefix): Generator<V>;
}

/** Blocks without addresses. */
export function createAddressBlocks<V>(): AddressBlocks<V> {
  const byFamily: Readonly<Record<Family, Map<number | string, Block<V>>>> = { 4: new Map(), 6: new Map() };
  const keyOf = (addr: Addr) => leadingBits(addr, BLOCK_LENGTH[addr.family]);

  function* candidates(prefix: Prefix): Generator<Block<V>> {
    const blocks = byFamily[prefix.family];
    if (prefix.length < BLOCK_LENGTH[prefix.family]) yield* blocks.values();
    else {
      const block = blocks.get(keyOf(prefix.addr));
      if (block !== undefined) yield block;
    }
  }

  return {
    set(addr, value) {
      const blocks = byFamily[addr.family];
      let block = blocks.get(keyOf(addr));
      if (block === undefined) {
        block = { prefix: prefixOf(addr, BLOCK_LENGTH[addr.family]), values: new Map() };
        blocks.set(keyOf(addr), block);
      }
      block.values.set(addr.text, { addr, value });
    },
    delete(addr) {
      const block = byFamily[addr.family].get(keyOf(addr));
      block?.values.delete(addr.text);
      if (block?.values.size === 0) byFamily[addr.family].delete(keyOf(addr));
    },
    *within(prefix) {
      for (const block of candidates(prefix)) {
        const isAll = prefixCovers(prefix, block.prefix);
        if (!isAll && !prefixCovers(block.prefix, prefix)) continue;
        for (const { addr, value } of block.values.values()) if (isAll || prefixHas(prefix, addr)) yield value;
      }
    },
  };
}
