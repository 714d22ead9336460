/** Which addresses an attachment gets. Pure: reads an {@link Occupancy}, returns a choice, writes nothing. */

import { err, ok, type Result } from "../base/result.ts";
import type { Addr, Family } from "../net/addr.ts";
import { prefixHas } from "../net/prefix.ts";
import { type AddrRange, formatRange, rangeCovers, rangeHas, rangeOfPrefix, subtractRanges } from "../net/range.ts";
import type { IpamError } from "./error.ts";
import { formatFigures, poolFigures } from "./figures.ts";
import { coolest, nextFree } from "./next-free.ts";
import type { Occupancy } from "./occupancy.ts";
import type { Pool } from "./pool.ts";

/** What an attachment wants. */
export interface AddressRequest {
  /** The node's pools. One address is given of each family that has a pool. */
  readonly pools: readonly Pool[];
  /** Addresses asked for by name, at most one of a family; the other family is served as if there were none. */
  readonly statics: readonly Addr[];
  /** Sets of ranges, each set of one family: that family's address comes out of its set, not out of the whole pools. */
  readonly rangeSets: readonly (readonly AddrRange[])[];
}

/** One address given. */
export interface Allocation {
  readonly addr: Addr;
  readonly pool: string;
  /** False for one asked for by name or range: then the pool's round-robin position stays. */
  readonly movesCursor: boolean;
  /** It was taken before its cool-down ended, since nothing else was free. */
  readonly isEarlyReuse: boolean;
}

type Choice = Result<Allocation, IpamError>;

function refuse(kind: "no-pool" | "not-allowed", message: string): { readonly ok: false; readonly error: IpamError } {
  return err({ kind, message });
}

function poolNames(pools: readonly Pool[], family: Family): string {
  const names = pools.filter((p) => p.prefix.family === family).map((p) => `"${p.prefix.text}"`);
  return names.length === 0
    ? `there is no IPv${family} pool on this node`
    : `it would have to lie in ${names.join(" or ")}`;
}

function chooseStatic(address: Addr, request: AddressRequest, occupancy: Occupancy): Choice {
  const pool = request.pools.find((p) => prefixHas(p.prefix, address));
  if (pool === undefined)
    return refuse("not-allowed", `Cannot give address "${address.text}": ${poolNames(request.pools, address.family)}`);
  if (!pool.ranges.some((r) => rangeHas(r, address)))
    return refuse("not-allowed", `Cannot give address "${address.text}": it is reserved in pool "${pool.name}"`);
  const sets = request.rangeSets.filter((set) => set[0]?.family === address.family);
  if (sets.length > 0 && !sets.some((set) => set.some((r) => rangeHas(r, address)))) {
    const wanted = sets.flat().map(formatRange).join(", ");
    return refuse(
      "not-allowed",
      `Cannot give address "${address.text}": it lies outside the ranges asked for, ${wanted}`,
    );
  }
  const use = occupancy.use(address);
  if (use.kind === "held")
    return err({
      kind: "in-use",
      message: `Cannot give address "${address.text}": endpoint ${use.endpoint} of this node has it`,
      holder: use.endpoint,
    });
  return ok({ addr: address, pool: pool.name, movesCursor: false, isEarlyReuse: use.kind === "cooling" });
}

/** Free before cooling over all sources; sources in order. */
function chooseFrom(
  sources: readonly { readonly pool: Pool; readonly ranges: readonly AddrRange[]; readonly movesCursor: boolean }[],
  occupancy: Occupancy,
): Choice {
  for (const { pool, ranges, movesCursor } of sources) {
    const free = nextFree(ranges, occupancy.cursor(pool.name), occupancy);
    if (free !== undefined) return ok({ addr: free, pool: pool.name, movesCursor, isEarlyReuse: false });
  }
  for (const { pool, ranges, movesCursor } of sources) {
    const cooled = coolest(ranges, occupancy);
    if (cooled !== undefined) return ok({ addr: cooled, pool: pool.name, movesCursor, isEarlyReuse: true });
  }
  const pools = sources.map((s) => (s.movesCursor ? s.pool : { ...s.pool, ranges: s.ranges }));
  const figures = pools.map((p) => poolFigures(p, occupancy));
  const part = sources.some((s) => !s.movesCursor) ? "the ranges asked for in pool" : "pool";
  return err({
    kind: "exhausted",
    message: `No address is free in ${part} ${figures.map(formatFigures).join(", ")}`,
    figures,
  });
}

function chooseInSet(set: readonly AddrRange[], request: AddressRequest, occupancy: Occupancy): Choice {
  const sources = new Map<Pool, AddrRange[]>();
  for (const range of set) {
    const pool = request.pools.find((p) => rangeCovers(rangeOfPrefix(p.prefix), range));
    if (pool === undefined)
      return refuse(
        "not-allowed",
        `Cannot give an address of range ${formatRange(range)}: ${poolNames(request.pools, range.family)}`,
      );
    const usable = subtractRanges(range, pool.reserved);
    sources.set(pool, [...(sources.get(pool) ?? []), ...usable]);
  }
  return chooseFrom(
    Array.from(sources, ([pool, ranges]) => ({ pool, ranges, movesCursor: false })),
    occupancy,
  );
}

function chooseFamily(family: Family, request: AddressRequest, occupancy: Occupancy): Choice | undefined {
  const named = request.statics.find((a) => a.family === family);
  if (named !== undefined) return chooseStatic(named, request, occupancy);
  const set = request.rangeSets.find((s) => s[0]?.family === family);
  if (set !== undefined) return chooseInSet(set, request, occupancy);
  const pools = request.pools.filter((p) => p.prefix.family === family);
  if (pools.length === 0) return undefined;
  return chooseFrom(
    pools.map((pool) => ({ pool, ranges: pool.ranges, movesCursor: true })),
    occupancy,
  );
}

function shapeProblem(request: AddressRequest): string | undefined {
  for (const family of [4, 6] as const) {
    const named = request.statics.filter((a) => a.family === family);
    if (named.length > 1)
      return `Cannot give ${named.map((a) => `"${a.text}"`).join(" and ")}: an interface has one IPv${family} address`;
    const sets = request.rangeSets.filter((s) => s[0]?.family === family);
    if (sets.length > 1)
      return `Cannot give an address out of ${sets.length} IPv${family} range sets: an interface has one IPv${family} address`;
  }
  if (request.rangeSets.some((s) => s.length === 0)) return "Cannot give an address out of a range set without ranges";
  if (request.rangeSets.some((s) => s.some((r) => r.family !== s[0]?.family)))
    return "Cannot give an address out of a range set that mixes IPv4 and IPv6";
  return undefined;
}

/** Chooses one address of each family, IPv4 first. */
export function allocate(request: AddressRequest, occupancy: Occupancy): Result<readonly Allocation[], IpamError> {
  const problem = shapeProblem(request);
  if (problem !== undefined) return refuse("not-allowed", problem);
  const out: Allocation[] = [];
  for (const family of [4, 6] as const) {
    const choice = chooseFamily(family, request, occupancy);
    if (choice === undefined) continue;
    if (!choice.ok) return choice;
    out.push(choice.value);
  }
  return out.length > 0 ? ok(out) : refuse("no-pool", "Cannot give an address: the node has no pod CIDR yet");
}
