/** Who wishes for which frontend: of several the one that has it, and what has changed. */

import { type Frontend, type FrontendKind, frontendName } from "./frontends.ts";
import { type FrontendRow, isSameServiceRow, type ServiceRow, type ServiceWrites } from "./rows.ts";

/** A port's wish for a frontend. */
export interface Claim {
  readonly owner: string;
  readonly created: string;
  readonly kind: FrontendKind;
  readonly frontend: Frontend;
  readonly row: ServiceRow;
}

/** A cluster IP is the API's own word; of others the older claim counts, so that nobody can take an address away. */
function compareClaims(a: Claim, b: Claim): number {
  const byKind = Number(a.kind !== "ClusterIP") - Number(b.kind !== "ClusterIP");
  if (byKind !== 0) return byKind;
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.owner < b.owner ? -1 : 1;
}

/** One wish, as there nearly always is, or several, the one that counts first. */
type Claims = Claim | readonly Claim[];

const listOf = (claims: Claims | undefined): readonly Claim[] =>
  claims === undefined ? [] : "owner" in claims ? [claims] : claims;

/** See the file's comment. */
export class ClaimBook {
  readonly #claims = new Map<string, Claims>();
  /** Who had it at the last {@link changes}. */
  readonly #before = new Map<string, Claim | undefined>();

  /** Frontends that somebody has. */
  get size(): number {
    return this.#claims.size;
  }

  /** How many wish for it. */
  count(name: string): number {
    return listOf(this.#claims.get(name)).length;
  }

  /** Whose it is. */
  holder(name: string): Claim | undefined {
    return listOf(this.#claims.get(name))[0];
  }

  *rows(): Generator<FrontendRow> {
    for (const claims of this.#claims.values()) yield listOf(claims)[0] as Claim;
  }

  /** One owner's claims, instead of those that it had. */
  replace(before: readonly Claim[], after: readonly Claim[]): void {
    for (const c of before) this.#put(c, false);
    for (const c of after) this.#put(c, true);
  }

  /** What has changed since the last call. */
  changes(): Pick<ServiceWrites, "services" | "goneServices"> {
    const services: FrontendRow[] = [];
    const goneServices: FrontendRow["frontend"][] = [];
    for (const [name, before] of this.#before) {
      const now = this.holder(name);
      if (now !== undefined && !isSameServiceRow(before?.row, now.row)) services.push(now);
      if (now === undefined && before !== undefined) goneServices.push(before.frontend);
    }
    this.#before.clear();
    return { services, goneServices };
  }

  #put(claim: Claim, isThere: boolean): void {
    const name = frontendName(claim.frontend);
    const had = this.#claims.get(name);
    if (!this.#before.has(name)) this.#before.set(name, listOf(had)[0]);
    const others = listOf(had).filter((o) => o.owner !== claim.owner);
    const now = isThere ? [...others, claim].sort(compareClaims) : others;
    const [first] = now;
    if (first === undefined) this.#claims.delete(name);
    else this.#claims.set(name, now.length === 1 ? first : now);
  }
}
