/** The ledger's leases as an allocation sees them. */

import type { DatabaseSync } from "node:sqlite";
import type { AddrUse, Occupancy } from "../ipam/occupancy.ts";
import type { Addr } from "../net/addr.ts";
import type { AddrRange } from "../net/range.ts";
import { addrOfColumn, type Row } from "./rows.ts";

/**
 * Leases as they are at a moment, read through prepared statements. The moment is one for all that is read: an address that cools
 * off in between would be neither cooling nor free.
 * @returns takes the moment of the boot's clock before which released addresses are free
 */
export function createOccupancy(db: DatabaseSync, path: string): (coolingSinceMs: number) => Occupancy {
  const prepare = (sql: string) => db.prepare(sql, { returnArrays: true });
  const cursor = prepare("SELECT value FROM meta WHERE key = 'cursor:' || ?");
  const use = prepare("SELECT endpoint_id, released_at_ms FROM leases WHERE addr = ?");
  const taken = prepare(
    "SELECT addr FROM leases WHERE addr BETWEEN ? AND ? AND (endpoint_id IS NOT NULL OR released_at_ms > ?) ORDER BY addr",
  );
  const coolest = prepare(
    "SELECT addr, released_at_ms FROM leases WHERE endpoint_id IS NULL AND released_at_ms > ? AND addr BETWEEN ? AND ? " +
      "ORDER BY released_at_ms LIMIT 1",
  );
  const count = prepare(
    "SELECT count(endpoint_id), count(*) FROM leases " +
      "WHERE addr BETWEEN ? AND ? AND (endpoint_id IS NOT NULL OR released_at_ms > ?)",
  );
  const first = (rows: unknown) => rows as Row | undefined;
  return (coolingSinceMs) => ({
    cursor(pool: string): Addr | undefined {
      const row = first(cursor.get(pool));
      return row === undefined ? undefined : addrOfColumn(path, row[0]);
    },
    use(address: Addr): AddrUse {
      const row = first(use.get(address.bytes));
      if (row === undefined) return { kind: "free" };
      if (typeof row[0] === "number") return { kind: "held", endpoint: row[0] };
      return typeof row[1] === "number" && row[1] > coolingSinceMs ? { kind: "cooling" } : { kind: "free" };
    },
    *taken(range: AddrRange): Iterable<Uint8Array> {
      for (const row of taken.iterate(range.first.bytes, range.last.bytes, coolingSinceMs) as Iterable<unknown>)
        yield first(row)?.[0] as Uint8Array;
    },
    coolest(range: AddrRange) {
      const row = first(coolest.get(coolingSinceMs, range.first.bytes, range.last.bytes));
      return row === undefined ? undefined : { addr: addrOfColumn(path, row[0]), releasedAtMs: Number(row[1]) };
    },
    count(range: AddrRange) {
      const row = first(count.get(range.first.bytes, range.last.bytes, coolingSinceMs));
      const held = Number(row?.[0] ?? 0);
      return { held, cooling: Number(row?.[1] ?? 0) - held };
    },
  });
}
