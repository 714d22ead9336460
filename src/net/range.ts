/** Ranges of addresses of one family, both ends inclusive, and arithmetic on lists of them. */

import { err, ok, type Result } from "../base/result.ts";
import { type Addr, addrFromBigint, addrToBigint, compareAddr, type Family, familyBits, parseAddr } from "./addr.ts";
import { type Prefix, parsePrefix } from "./prefix.ts";

/** All addresses from `first` to `last`, both inclusive, of one family. Make it with {@link rangeOf} or {@link rangeOfPrefix}. */
export interface AddrRange {
  readonly family: Family;
  readonly first: Addr;
  readonly last: Addr;
}

/**
 * The range between two addresses, both inclusive.
 * @throws RangeError when the families differ or `last` comes before `first`
 */
export function rangeOf(first: Addr, last: Addr): AddrRange {
  if (first.family !== last.family || compareAddr(first, last) > 0)
    throw new RangeError(`"${first.text}" to "${last.text}" is not a range of addresses`);
  return Object.freeze({ family: first.family, first, last });
}

/** Every address of a prefix. */
export function rangeOfPrefix(p: Prefix): AddrRange {
  const size = 1n << BigInt(familyBits(p.family) - p.length);
  return rangeOf(p.addr, addrFromBigint(p.family, addrToBigint(p.addr) + size - 1n));
}

/** Whether the address lies in the range. */
export function rangeHas(r: AddrRange, a: Addr): boolean {
  return r.family === a.family && compareAddr(r.first, a) <= 0 && compareAddr(a, r.last) <= 0;
}

/** Whether `outer` holds every address of `inner`. */
export function rangeCovers(outer: AddrRange, inner: AddrRange): boolean {
  return rangeHas(outer, inner.first) && rangeHas(outer, inner.last);
}

/** How many addresses the range holds. */
export function rangeSize(r: AddrRange): bigint {
  return addrToBigint(r.last) - addrToBigint(r.first) + 1n;
}

/** `first-last`, or the one address. */
export function formatRange(r: AddrRange): string {
  return r.first.text === r.last.text ? r.first.text : `${r.first.text}-${r.last.text}`;
}

/** What is left of `whole` when `holes` (any order, overlaps allowed) are taken out: ascending, disjoint ranges. */
export function subtractRanges(whole: AddrRange, holes: readonly AddrRange[]): readonly AddrRange[] {
  const sorted = holes.filter((h) => h.family === whole.family).toSorted((a, b) => compareAddr(a.first, b.first));
  const end = addrToBigint(whole.last);
  const out: AddrRange[] = [];
  let from = addrToBigint(whole.first);
  const put = (to: bigint) => {
    if (to >= from) out.push(rangeOf(addrFromBigint(whole.family, from), addrFromBigint(whole.family, to)));
  };
  for (const h of sorted) {
    const first = addrToBigint(h.first);
    const last = addrToBigint(h.last);
    if (last < from) continue;
    if (first > end) break;
    put(first - 1n);
    from = last + 1n;
  }
  put(end);
  return out;
}

/** Reads an address, a CIDR, or `first-last`, both inclusive. */
export function parseRange(text: string): Result<AddrRange> {
  const [firstText = "", lastText, ...rest] = text.split("-");
  const wrong = err(`"${text.slice(0, 96)}" is not an address, a CIDR or FIRST-LAST`);
  if (rest.length > 0) return wrong;
  if (lastText === undefined && firstText.includes("/")) {
    const p = parsePrefix(firstText);
    return p.ok ? ok(rangeOfPrefix(p.value)) : p;
  }
  const first = parseAddr(firstText);
  const last = parseAddr(lastText ?? firstText);
  if (!first.ok || !last.ok || first.value.family !== last.value.family) return wrong;
  return compareAddr(first.value, last.value) > 0 ? wrong : ok(rangeOf(first.value, last.value));
}
