/** The ledger's layout and its version. */

import type { DatabaseSync } from "node:sqlite";
import { damaged, newer } from "./error.ts";

/** `PRAGMA application_id`: "TWIL". */
export const APPLICATION_ID = 0x5457494c;

/** `PRAGMA user_version`. Raise it with every change of {@link SCHEMA}, and say in {@link prepareSchema} how to go there. */
export const SCHEMA_VERSION = 1;

/**
 * - `endpoints.id` is AUTOINCREMENT: SQLite never gives an id out again, also after its row is gone.
 * - `leases.addr` is 16 bytes: SQLite's order of blobs is the order of addresses.
 * - A lease without endpoint is cooling down. `released_at_ms` is on the clock that starts with the boot.
 */
const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE endpoints (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot_id TEXT NOT NULL,
  network TEXT NOT NULL,
  container_id TEXT NOT NULL,
  ifname TEXT NOT NULL,
  netns_path TEXT NOT NULL,
  netns_id TEXT NOT NULL,
  host_ifname TEXT NOT NULL,
  host_ifindex INTEGER,
  mac TEXT NOT NULL,
  mtu_bytes INTEGER NOT NULL,
  pod_namespace TEXT,
  pod_name TEXT,
  pod_uid TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'deleting')),
  created_at_ms INTEGER NOT NULL,
  UNIQUE (container_id, ifname)
) STRICT;
CREATE TABLE leases (
  addr BLOB PRIMARY KEY CHECK (length(addr) = 16),
  pool TEXT NOT NULL,
  endpoint_id INTEGER REFERENCES endpoints (id),
  generation INTEGER NOT NULL,
  released_at_ms INTEGER,
  CHECK ((endpoint_id IS NULL) = (released_at_ms IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_of_endpoint ON leases (endpoint_id) WHERE endpoint_id IS NOT NULL;
CREATE INDEX leases_cooling ON leases (released_at_ms) WHERE endpoint_id IS NULL;
CREATE TABLE cursors (pool TEXT PRIMARY KEY, addr BLOB NOT NULL CHECK (length(addr) = 16)) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('revision', 0), ('early_reuses', 0);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

function pragma(db: DatabaseSync, name: "application_id" | "user_version" | "quick_check" | "schema_version"): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/**
 * Makes the layout in an empty database; looks whether a filled one can be used. The caller holds the node's lock.
 * @throws LedgerError LEDGER_NEWER or LEDGER_DAMAGED, with nothing written
 */
export function prepareSchema(db: DatabaseSync, path: string): void {
  const application = pragma(db, "application_id");
  const version = Number(pragma(db, "user_version"));
  // An empty file has neither of the three: a predecessor died before its first transaction.
  const isEmpty = application === 0 && version === 0 && pragma(db, "schema_version") === 0;
  if (!isEmpty) {
    if (application !== APPLICATION_ID) throw damaged(path, "it is another program's database");
    if (version > SCHEMA_VERSION) throw newer(path, version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION) throw damaged(path, `its layout is version ${version}, which never existed`);
    const check = pragma(db, "quick_check");
    if (check !== "ok") throw damaged(path, `its check says "${String(check).slice(0, 200)}"`);
  }
  // Only now: switching the journal writes to the file.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  if (isEmpty) db.exec(`BEGIN IMMEDIATE;${SCHEMA}COMMIT`);
}
