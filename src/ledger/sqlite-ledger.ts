/** The ledger over SQLite: one committed transaction per write, every statement prepared once. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Result } from "../base/result.ts";
import type { Allocation } from "../ipam/allocate.ts";
import type { IpamError } from "../ipam/error.ts";
import { poolFigures } from "../ipam/figures.ts";
import type { Occupancy } from "../ipam/occupancy.ts";
import type { Pool, PoolFigures } from "../ipam/pool.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { toLedgerError } from "./error.ts";
import type { Lease, Ledger, NewEndpoint } from "./ledger.ts";
import type { OperationLock } from "./lock.ts";
import { createOccupancy } from "./occupancy.ts";
import type { LedgerOptions } from "./open.ts";
import {
  addrOfColumn,
  addrsOfColumn,
  ENDPOINT_COLUMNS,
  endpointOfRow,
  INSERT_COLUMNS,
  insertValues,
  type Row,
} from "./rows.ts";

/** Pool of leases that no allocation has made. */
const ADOPTED = "adopted";

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
    addrsOf: read("SELECT addrs FROM endpoints WHERE id = ?"),
    leases: read("SELECT addr, pool, endpoint_id, generation FROM leases ORDER BY addr"),
    meta: read("SELECT value FROM meta WHERE key = ?"),
    bump: read("UPDATE meta SET value = value + 1 WHERE key = ? RETURNING value"),
    insert: write(
      `INSERT INTO endpoints (${INSERT_COLUMNS}, state) VALUES (${"?, ".repeat(INSERT_COLUMNS.split(",").length)}'pending')`,
    ),
    // A cooling row of the address is taken over; a held one would be a fault of the choice, and changes nothing.
    lease: write(
      "INSERT INTO leases (addr, pool, endpoint_id, generation) VALUES (?1, ?2, ?3, ?3) ON CONFLICT (addr) DO UPDATE " +
        "SET pool = ?2, endpoint_id = ?3, generation = ?3, released_at_ms = NULL WHERE endpoint_id IS NULL",
    ),
    setCursor: write(
      "INSERT INTO meta (key, value) VALUES ('cursor:' || ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    ),
    ready: write(
      "UPDATE endpoints SET state = 'ready', host_ifindex = ?, entry_ifindex = ? WHERE id = ? AND state = 'pending'",
    ),
    setEntry: write("UPDATE endpoints SET entry_ifindex = ? WHERE id = ?"),
    deleting: write("UPDATE endpoints SET state = 'deleting' WHERE id = ?"),
    release: write("UPDATE leases SET endpoint_id = NULL, released_at_ms = ? WHERE addr = ? AND endpoint_id = ?"),
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
  readonly #occupancyAt: (coolingSinceMs: number) => Occupancy;
  /** All endpoints as read last: asked for with every change in the cluster, and changed with pods only. */
  #listed: { readonly revision: number; readonly endpoints: readonly Endpoint[] } | undefined;

  constructor(db: DatabaseSync, lock: OperationLock, options: LedgerOptions) {
    this.path = options.path;
    this.bootId = options.bootId;
    this.#db = db;
    this.#lock = lock;
    this.#now = () => Math.floor(options.monotonicMs());
    this.#coolDownMs = options.coolDownMs;
    this.#sql = statements(db);
    this.#occupancyAt = createOccupancy(db, options.path);
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

  #bump(key: "revision" | "early_reuses"): number {
    return Number(this.#first(this.#sql.bump.get(key))?.[0]);
  }

  /** One transaction that also raises the revision; `work` may roll back by itself, and then nothing is written. */
  #write<T>(work: (revision: number) => T): T {
    return this.#guard(() => {
      this.#sql.begin.run();
      try {
        const value = work(this.#bump("revision"));
        if (this.#db.isTransaction) this.#sql.commit.run();
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

  #read(row: unknown): Endpoint | undefined {
    return row === undefined ? undefined : endpointOfRow(this.path, row as Row);
  }

  endpoints(): readonly Endpoint[] {
    const revision = this.revision();
    // What a transaction reads may be rolled back, and its revision given to another.
    const isLasting = !this.#db.isTransaction;
    if (isLasting && this.#listed?.revision === revision) return this.#listed.endpoints;
    const endpoints = this.#guard(() =>
      (this.#sql.all.all() as unknown as Row[]).map((row) => endpointOfRow(this.path, row)),
    );
    // Another process may have written in between: then the list is newer than its revision, and read again.
    if (isLasting) this.#listed = { revision, endpoints };
    return endpoints;
  }

  endpoint(id: number): Endpoint | undefined {
    return this.#guard(() => this.#read(this.#sql.byId.get(id)));
  }

  find(containerId: string, ifname: string): Endpoint | undefined {
    return this.#guard(() => this.#read(this.#sql.byName.get(containerId, ifname)));
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
    return this.#write((id) => {
      const chosen = choose(this.occupancy());
      if (!chosen.ok) {
        this.#sql.rollback.run();
        return chosen;
      }
      const addrs = chosen.value.map((a) => a.addr);
      this.#sql.insert.run(...insertValues(id, this.bootId, endpoint, addrs));
      for (const a of chosen.value) {
        if (this.#sql.lease.run(a.addr.bytes, a.pool, id).changes !== 1)
          throw new Error(`Cannot lease address "${a.addr.text}": it is held`);
        if (a.movesCursor) this.#sql.setCursor.run(a.pool, a.addr.bytes);
        if (a.isEarlyReuse) this.#bump("early_reuses");
      }
      return {
        ok: true,
        value: Object.freeze({
          ...endpoint,
          id,
          addrs,
          hostIfindex: undefined,
          entryIfindex: undefined,
          state: "pending",
        }),
      };
    });
  }

  commit(id: number, hostIfindex: number, entryIfindex?: number): void {
    this.#write(() => {
      if (this.#sql.ready.run(hostIfindex, entryIfindex ?? null, id).changes !== 1)
        throw new Error(`Endpoint ${id} is not pending`);
    });
  }

  setEntry(id: number, entryIfindex: number): void {
    this.#write(() => this.#sql.setEntry.run(entryIfindex, id));
  }

  adopt(endpoint: NewEndpoint, found: Pick<Endpoint, "addrs"> & { readonly hostIfindex: number }): Endpoint {
    return this.#write((id) => {
      this.#sql.insert.run(...insertValues(id, this.bootId, endpoint, found.addrs));
      for (const a of found.addrs)
        if (this.#sql.lease.run(a.bytes, ADOPTED, id).changes !== 1)
          throw new Error(`Cannot lease address "${a.text}": it is held`);
      this.#sql.ready.run(found.hostIfindex, null, id);
      return Object.freeze({ ...endpoint, ...found, entryIfindex: found.hostIfindex, id, state: "ready" });
    });
  }

  markDeleting(id: number): void {
    this.#write(() => this.#sql.deleting.run(id));
  }

  remove(id: number): void {
    this.#write(() => {
      const now = this.#now();
      const row = this.#first(this.#sql.addrsOf.get(id));
      if (row !== undefined) for (const a of addrsOfColumn(this.path, row[0])) this.#sql.release.run(now, a.bytes, id);
      this.#sql.forget.run(id);
      this.#sql.thaw.run(now - this.#coolDownMs);
    });
  }

  occupancy(): Occupancy {
    return this.#occupancyAt(this.#now() - this.#coolDownMs);
  }

  figures(pool: Pool): PoolFigures {
    return this.#guard(() => poolFigures(pool, this.occupancy()));
  }

  [Symbol.dispose](): void {
    if (!this.#db.isOpen) return;
    this.#db.close();
    this.#lock[Symbol.dispose]();
  }
}
