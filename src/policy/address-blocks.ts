/** Known addresses by blocks of the size that nodes' pod CIDRs have, so that those in a prefix are found without the others. */

import { CompactSet } from "../base/compact-set.ts";
import type { Addr, Family } from "../net/addr.ts";
import { type Prefix, prefixCovers, prefixHas, prefixOf } from "../net/prefix.ts";
import { leadingBits } from "./prefix-index.ts";

const BLOCK_LENGTH: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };

/** What has an address. */
interface Placed {
  readonly addr: Addr;
}

interface Block<V> {
  readonly prefix: Prefix;
  readonly values: CompactSet<V>;
}

/** Values by their addresses, each of which one value has. */
export interface AddressBlocks<V extends Placed> {
  add(value: V): void;
  delete(value: V): void;
  /** Those whose addresses are in the prefix. */
  within(prefix: Prefix): Generator<V>;
}

/** Blocks without addresses. */
export function createAddressBlocks<V extends Placed>(): AddressBlocks<V> {
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
    add(value) {
      const { addr } = value;
      const blocks = byFamily[addr.family];
      let block = blocks.get(keyOf(addr));
      if (block === undefined) {
        block = { prefix: prefixOf(addr, BLOCK_LENGTH[addr.family]), values: new CompactSet() };
        blocks.set(keyOf(addr), block);
      }
      block.values.add(value);
    },
    delete(value) {
      const { addr } = value;
      const block = byFamily[addr.family].get(keyOf(addr));
      block?.values.delete(value);
      if (block?.values.size === 0) byFamily[addr.family].delete(keyOf(addr));
    },
    *within(prefix) {
      for (const block of candidates(prefix)) {
        const isAll = prefixCovers(prefix, block.prefix);
        if (!isAll && !prefixCovers(block.prefix, prefix)) continue;
        for (const value of block.values) if (isAll || prefixHas(prefix, value.addr)) yield value;
      }
    },
  };
}
