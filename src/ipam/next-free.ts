/** Round-robin: the first free address after the last one given. */

import { type Addr, addrFromBytes, compareAddr } from "../net/addr.ts";
import { type AddrRange, rangeHas, rangeOf, subtractRanges } from "../net/range.ts";
import type { Occupancy } from "./occupancy.ts";

/** The ranges in the order of a walk that starts behind `cursor` and comes round to it. */
function walk(ranges: readonly AddrRange[], cursor: Addr | undefined): readonly AddrRange[] {
  if (cursor === undefined) return ranges;
  const ahead: AddrRange[] = [];
  const behind: AddrRange[] = [];
  for (const r of ranges) {
    if (!rangeHas(r, cursor)) (compareAddr(r.first, cursor) > 0 ? ahead : behind).push(r);
    else {
      behind.push(rangeOf(r.first, cursor));
      ahead.push(...subtractRanges(r, [rangeOf(r.first, cursor)]));
    }
  }
  return [...ahead, ...behind];
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 16; i++) {
    const d = (a[i] ?? 0) - (b[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

/** Adds one in place. The caller has checked that the range goes on. */
function increment(bytes: Uint8Array): void {
  for (let i = 15; i >= 0; i--) {
    const next = ((bytes[i] ?? 0) + 1) & 0xff;
    bytes[i] = next;
    if (next !== 0) return;
  }
}

/** The first address of the range that `taken` (ascending) lacks. Bytes rather than numbers: full pools are walked whole. */
function firstGap(range: AddrRange, taken: Iterable<Uint8Array>): Addr | undefined {
  const candidate = range.first.bytes.slice();
  for (const bytes of taken) {
    if (compareBytes(bytes, candidate) > 0) break;
    if (compareBytes(candidate, range.last.bytes) === 0) return undefined;
    increment(candidate);
  }
  return addrFromBytes(candidate);
}

/** The address behind `cursor`, when it lies in the ranges: in a pool that is not walked round yet, it is the free one. */
function successor(ranges: readonly AddrRange[], cursor: Addr): Addr | undefined {
  const bytes = cursor.bytes.slice();
  increment(bytes);
  const isIn = (r: AddrRange) => compareBytes(r.first.bytes, bytes) <= 0 && compareBytes(bytes, r.last.bytes) <= 0;
  return ranges.some(isIn) ? addrFromBytes(bytes) : undefined;
}

/** The first address that is neither held nor cooling, walking on from `cursor` and round. */
export function nextFree(
  ranges: readonly AddrRange[],
  cursor: Addr | undefined,
  occupancy: Occupancy,
): Addr | undefined {
  const next = cursor === undefined ? undefined : successor(ranges, cursor);
  if (next !== undefined && occupancy.use(next).kind === "free") return next;
  for (const range of walk(ranges, cursor)) {
    const found = firstGap(range, occupancy.taken(range));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The cooling address that was released longest ago. */
export function coolest(ranges: readonly AddrRange[], occupancy: Occupancy): Addr | undefined {
  let best: { readonly addr: Addr; readonly releasedAtMs: number } | undefined;
  for (const range of ranges) {
    const c = occupancy.coolest(range);
    if (c !== undefined && (best === undefined || c.releasedAtMs < best.releasedAtMs)) best = c;
  }
  return best?.addr;
}
