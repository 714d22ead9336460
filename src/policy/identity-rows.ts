/** The rows that say each address' identity: of known addresses and of places, those that have changed, and how many they are. */

import { type Addr, addr as addrOf } from "../net/addr.ts";
import { hostPrefix, type Prefix, prefix as prefixOf } from "../net/prefix.ts";
import type { IdentityChanges, IdentityRow } from "./identity.ts";
import type { Holder, Profile, SharedIdentity } from "./profiles.ts";

/** A known address: there are tens of thousands. */
export interface KnownHolder extends Holder {
  readonly addr: Addr;
  /** The identity that its row was told with; 0: it was not. */
  told: number;
}

/** What a place says of the addresses of which nothing is known. */
export interface PlaceHolder extends Holder {
  readonly prefix: Prefix;
}

/** Rows of all there is. */
export const WHOLE_FAMILIES: ReadonlySet<string> = new Set(["0.0.0.0/0", "::/0"]);

/** The identity of a profile that has one. @throws RangeError */
export function identityIn(profile: Profile | undefined): SharedIdentity {
  if (profile?.identity === undefined) throw new RangeError("An address without a profile, or one without identity");
  return profile.identity;
}

/** The prefix of a row. */
function prefixOfRow(row: string): Prefix {
  return row.includes("/") ? prefixOf(row) : hostPrefix(addrOf(row));
}

/** See the file's comment. A known address has the row of a place of it alone. */
export class IdentityRows {
  readonly #known: ReadonlyMap<string, KnownHolder>;
  readonly #places: ReadonlyMap<string, PlaceHolder>;
  /** Rows that may be other than they were told. */
  readonly #touched = new Set<string>();
  /** The identity that each row was told with that no known address has. */
  readonly #told = new Map<string, number>();
  #isCoarse = false;

  /** @param known by their addresses @param places by their rows */
  constructor(known: ReadonlyMap<string, KnownHolder>, places: ReadonlyMap<string, PlaceHolder>) {
    this.#known = known;
    this.#places = places;
  }

  touch(row: string): void {
    this.#touched.add(row);
  }

  /** The address has its row from now on. */
  begin(known: KnownHolder): void {
    known.told = this.#told.get(known.row) ?? 0;
    this.#told.delete(known.row);
  }

  /** And no longer: a place of it alone has it, or nobody. */
  end(known: KnownHolder): void {
    if (known.told !== 0) this.#told.set(known.row, known.told);
  }

  /** See `Partition`. */
  coarsen(isCoarse: boolean): void {
    if (isCoarse === this.#isCoarse) return;
    this.#isCoarse = isCoarse;
    for (const rows of [this.#known, this.#places]) for (const row of rows.keys()) this.#touched.add(row);
  }

  count(): number {
    let count = this.#isCoarse ? 0 : this.#known.size;
    for (const row of this.#places.keys()) if (!this.#known.has(row) && this.#isThere(row)) count++;
    return count;
  }

  find(row: string): IdentityRow | undefined {
    const known = this.#known.get(row);
    const holder = known ?? this.#places.get(row);
    if (holder === undefined || !this.#isThere(row)) return undefined;
    const prefix = known === undefined ? (holder as PlaceHolder).prefix : hostPrefix(known.addr);
    return { prefix, identity: identityIn(holder.profile).number };
  }

  *all(): Generator<IdentityRow> {
    for (const [row, { prefix, profile }] of this.#places)
      if (!this.#known.has(row) && this.#isThere(row)) yield { prefix, identity: identityIn(profile).number };
    if (this.#isCoarse) return;
    for (const { addr, profile } of this.#known.values())
      yield { prefix: hostPrefix(addr), identity: identityIn(profile).number };
  }

  /** What is different since this was asked last; at first all. */
  changes(): IdentityChanges {
    const put: IdentityRow[] = [];
    const removed: Prefix[] = [];
    for (const row of this.#touched) {
      const known = this.#known.get(row);
      const told = known?.told ?? this.#told.get(row) ?? 0;
      const holder = known ?? this.#places.get(row);
      if (holder === undefined || !this.#isThere(row)) {
        if (told !== 0) removed.push(prefixOfRow(row));
        this.#tell(row, known, 0);
        continue;
      }
      const identity = identityIn(holder.profile).number;
      if (told === identity) continue;
      put.push({ prefix: known === undefined ? (holder as PlaceHolder).prefix : hostPrefix(known.addr), identity });
      this.#tell(row, known, identity);
    }
    this.#touched.clear();
    return { put, removed };
  }

  #tell(row: string, known: KnownHolder | undefined, identity: number): void {
    if (known !== undefined) known.told = identity;
    else if (identity === 0) this.#told.delete(row);
    else this.#told.set(row, identity);
  }

  #isThere(row: string): boolean {
    return !this.#isCoarse || WHOLE_FAMILIES.has(row);
  }
}
