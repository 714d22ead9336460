/** The ledger over SQLite: one committed transaction per write, every statement prepared once. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Result } from "../base/result.ts";
import type { Allocation } from "../ipam/allocate.ts";
import type { IpamError } from "../ipam/error.ts";
import { poolFigures } from "../ipam/figures.ts";
import type { Occupancy } from "../ipam/occupancy.ts";
import type { Pool, PoolFigures } from "../ipam/pool.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Addr } from "../net/addr.ts";
import { toLedgerError } from "./error.ts";
import type { Lease, Ledger, NewEndpoint } from "./ledger.ts";
import type { OperationLock } from "./lock.ts";
import { createOccupancy } from "./occupancy.ts";
import type { LedgerOptions } from "./open.ts";
import { addrOfColumn, ENDPOINT_COLUMNS, endpointOfRow, INSERT_COLUMNS, insertValues, type Row } from "./rows.ts";

function statements(db: DatabaseSync) {
  const read = (sql: string) => db.prepare(sql, { returnArrays: true });
  const write = (sql: string) => db.prepare(sql);
  return {
    begin: write("BEGIN IMMEDIATE"),
    commit: write("COMMIT"),
    rollback: write("ROLLBACK"),
    all: read(`SELECT ${ENDPOINT_COLUMNS} FROM endpoints ORDER BY id`),
    byId: read(`SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE id = ?`),
    byName: read(`SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE container_id = ? AND ifname = ?`),
    addrsOf: read("SELECT addr FROM leases WHERE endpoint_id = ?"),
    held: read("SELECT endpoint_id, addr FROM leases WHERE endpoint_id IS NOT NULL"),
    leases: read("SELECT addr, pool, endpoint_id, generation FROM leases ORDER BY addr"),
    meta: read("SELECT value FROM meta WHERE key = ?"),
    bump: write("UPDATE meta SET value = value + ? WHERE key = ?"),
    insert: write(
      `INSERT INTO endpoints (${INSERT_COLUMNS}, state) VALUES (${"?, ".repeat(INSERT_COLUMNS.split(",").length)}'pending')`,
    ),
    // A cooling row of the address is taken over; a held one would be a fault of the choice, and changes nothing.
    lease: write(
      "INSERT INTO leases (addr, pool, endpoint_id, generation) VALUES (?1, ?2, ?3, ?3) ON CONFLICT (addr) DO UPDATE " +
        "SET pool = ?2, endpoint_id = ?3, generation = ?3, released_at_ms = NULL WHERE endpoint_id IS NULL",
    ),
    cursor: write(
      "INSERT INTO cursors (pool, addr) VALUES (?, ?) ON CONFLICT (pool) DO UPDATE SET addr = excluded.addr",
    ),
    ready: write("UPDATE endpoints SET state = 'ready', host_ifindex = ? WHERE id = ? AND state = 'pending'"),
    deleting: write("UPDATE endpoints SET state = 'deleting' WHERE id = ?"),
    release: write("UPDATE leases SET endpoint_id = NULL, released_at_ms = ? WHERE endpoint_id = ?"),
    forget: write("DELETE FROM endpoints WHERE id = ?"),
    thaw: write("DELETE FROM leases WHERE endpoint_id IS NULL AND released_at_ms <= ?"),
    otherBoots: write("DELETE FROM endpoints WHERE boot_id <> ?"),
    otherBootLeases: write(
      "DELETE FROM leases WHERE endpoint_id IS NULL OR endpoint_id IN (SELECT id FROM endpoints WHERE boot_id <> ?)",
    ),
    lastBoot: read("SELECT value FROM meta WHERE key = 'boot_id'"),
    setBoot: write(
      "INSERT INTO meta (key, value) VALUES ('boot_id', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    ),
  } satisfies Record<string, StatementSync>;
}

/** Make it with `openLedger`. */
export class SqliteLedger implements Ledger {
  readonly path: string;
  readonly bootId: string;
  readonly removedOnOpen: number;
  readonly #db: DatabaseSync;
  readonly #lock: OperationLock;
  readonly #now: () => number;
  readonly #coolDownMs: number;
  readonly #sql: ReturnType<typeof statements>;
  readonly #occupancy: Occupancy;

  constructor(db: DatabaseSync, lock: OperationLock, options: LedgerOptions) {
    this.path = options.path;
    this.bootId = options.bootId;
    this.#db = db;
    this.#lock = lock;
    this.#now = () => Math.floor(options.monotonicMs());
    this.#coolDownMs = options.coolDownMs;
    this.#sql = statements(db);
    this.#occupancy = createOccupancy(db, options.path, () => this.#now() - this.#coolDownMs);
    this.removedOnOpen = this.#dropOtherBoots();
  }

  /** A reboot ended every pod and started the clock of cool-downs anew. */
  #dropOtherBoots(): number {
    const last = this.#first(this.#sql.lastBoot.get())?.[0];
    if (last === this.bootId) return 0;
    return this.#write(() => {
      this.#sql.otherBootLeases.run(this.bootId);
      const { changes } = this.#sql.otherBoots.run(this.bootId);
      this.#sql.setBoot.run(this.bootId);
      return Number(changes);
    });
  }

  #first(row: unknown): Row | undefined {
    return row as Row | undefined;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw toLedgerError(this.path, error);
    }
  }

  /** One transaction that also raises the revision; `work` may roll back by itself, and then nothing is written. */
  #write<T>(work: () => T): T {
    return this.#guard(() => {
      this.#sql.begin.run();
      try {
        const value = work();
        if (this.#db.isTransaction) {
          this.#sql.bump.run(1, "revision");
          this.#sql.commit.run();
        }
        return value;
      } catch (error) {
        if (this.#db.isTransaction) this.#sql.rollback.run();
        throw error;
      }
    });
  }

  exclusive<T>(work: () => T): T {
    let isHeld = false;
    try {
      return this.#lock.hold(() => {
        isHeld = true;
        return work();
      });
    } catch (error) {
      throw isHeld ? error : toLedgerError(`${this.path}.lock`, error);
    }
  }

  #read(row: Row | undefined): Endpoint | undefined {
    if (row === undefined) return undefined;
    const addrs = this.#sql.addrsOf.all(row[0] ?? null).map((a) => addrOfColumn(this.path, this.#first(a)?.[0]));
    return endpointOfRow(this.path, row, addrs);
  }

  endpoints(): readonly Endpoint[] {
    return this.#guard(() => {
      const addrs = new Map<unknown, Addr[]>();
      for (const lease of this.#sql.held.iterate() as Iterable<unknown>) {
        const row = this.#first(lease);
        const list = addrs.get(row?.[0]) ?? [];
        list.push(addrOfColumn(this.path, row?.[1]));
        addrs.set(row?.[0], list);
      }
      const rows = this.#sql.all.all() as unknown as Row[];
      return rows.map((row) => endpointOfRow(this.path, row, addrs.get(row[0]) ?? []));
    });
  }

  endpoint(id: number): Endpoint | undefined {
    return this.#guard(() => this.#read(this.#first(this.#sql.byId.get(id))));
  }

  find(containerId: string, ifname: string): Endpoint | undefined {
    return this.#guard(() => this.#read(this.#first(this.#sql.byName.get(containerId, ifname))));
  }

  leases(): readonly Lease[] {
    return this.#guard(() =>
      (this.#sql.leases.all() as unknown as Row[]).map((row) => ({
        addr: addrOfColumn(this.path, row[0]),
        pool: String(row[1]),
        endpoint: typeof row[2] === "number" ? row[2] : undefined,
        generation: Number(row[3]),
      })),
    );
  }

  #meta(key: "revision" | "early_reuses"): number {
    return this.#guard(() => Number(this.#first(this.#sql.meta.get(key))?.[0]));
  }

  revision(): number {
    return this.#meta("revision");
  }

  earlyReuses(): number {
    return this.#meta("early_reuses");
  }

  begin(
    endpoint: NewEndpoint,
    choose: (occupancy: Occupancy) => Result<readonly Allocation[], IpamError>,
  ): Result<Endpoint, IpamError> {
    return this.#write(() => {
      const chosen = choose(this.#occupancy);
      if (!chosen.ok) {
        this.#sql.rollback.run();
        return chosen;
      }
      const id = Number(this.#sql.insert.run(...insertValues(this.bootId, endpoint)).lastInsertRowid);
      for (const a of chosen.value) {
        if (this.#sql.lease.run(a.addr.bytes, a.pool, id).changes !== 1)
          throw new Error(`Cannot lease address "${a.addr.text}": it is held`);
        if (a.movesCursor) this.#sql.cursor.run(a.pool, a.addr.bytes);
        if (a.isEarlyReuse) this.#sql.bump.run(1, "early_reuses");
      }
      const addrs = chosen.value.map((a) => a.addr);
      return { ok: true, value: Object.freeze({ ...endpoint, id, addrs, hostIfindex: undefined, state: "pending" }) };
    });
  }

  commit(id: number, hostIfindex: number): void {
    this.#write(() => {
      if (this.#sql.ready.run(hostIfindex, id).changes !== 1) throw new Error(`Endpoint ${id} is not pending`);
    });
  }

  markDeleting(id: number): void {
    this.#write(() => this.#sql.deleting.run(id));
  }

  remove(id: number): void {
    this.#write(() => {
      const now = this.#now();
      this.#sql.release.run(now, id);
      this.#sql.forget.run(id);
      this.#sql.thaw.run(now - this.#coolDownMs);
    });
  }

  occupancy(): Occupancy {
    return this.#occupancy;
  }

  figures(pool: Pool): PoolFigures {
    return this.#guard(() => poolFigures(pool, this.#occupancy));
  }

  [Symbol.dispose](): void {
    if (!this.#db.isOpen) return;
    this.#db.close();
    this.#lock[Symbol.dispose]();
  }
}
