/** The ledger's layout and its version. */

import type { DatabaseSync } from "node:sqlite";
import { damaged, newer } from "./error.ts";

/** `PRAGMA application_id`: "TWIL". */
const APPLICATION_ID = 0x5457494c;

/** `PRAGMA user_version`. Raise it with every change of {@link SCHEMA}, and say in {@link prepareSchema} how to go there. */
const SCHEMA_VERSION = 2;

/**
 * - `meta`: `revision`, which every write raises, `early_reuses`, `boot_id`, and one `cursor:POOL` for each pool.
 * - `endpoints.id` is the revision of the write that made it, so an id is never given out again.
 * - `endpoints.addrs` is one or two addresses of 16 bytes; `leases` has a row for each of them, and keeps them unique.
 * - `leases.addr`: SQLite's order of blobs is the order of addresses.
 * - `endpoints.extras`: limits and host ports as JSON, see extras.ts; most pods have none.
 * - `endpoints.entry_ifindex`: NULL where it is `host_ifindex`.
 * - A lease without endpoint is cooling down. `released_at_ms` is on the clock that starts with the boot.
 *
 * Few and small pages: what a commit costs is the pages that it copies into the log.
 */
const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE endpoints (
  id INTEGER PRIMARY KEY,
  boot_id TEXT NOT NULL,
  network TEXT NOT NULL,
  container_id TEXT NOT NULL,
  ifname TEXT NOT NULL,
  netns_path TEXT NOT NULL,
  netns_id TEXT NOT NULL,
  host_ifname TEXT NOT NULL,
  host_ifindex INTEGER,
  addrs BLOB NOT NULL CHECK (length(addrs) IN (16, 32)),
  mac TEXT NOT NULL,
  mtu_bytes INTEGER NOT NULL,
  pod_namespace TEXT,
  pod_name TEXT,
  pod_uid TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'deleting')),
  created_at_ms INTEGER NOT NULL,
  extras TEXT,
  entry_ifindex INTEGER,
  UNIQUE (container_id, ifname)
) STRICT;
CREATE TABLE leases (
  addr BLOB PRIMARY KEY CHECK (length(addr) = 16),
  pool TEXT NOT NULL,
  endpoint_id INTEGER,
  generation INTEGER NOT NULL,
  released_at_ms INTEGER,
  CHECK ((endpoint_id IS NULL) = (released_at_ms IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_cooling ON leases (released_at_ms) WHERE endpoint_id IS NULL;
INSERT INTO meta (key, value) VALUES ('revision', 0), ('early_reuses', 0);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** From version 1, in which other plugins set the limits: they are found again when the pod is made anew. */
const FROM_1 = `
ALTER TABLE endpoints DROP COLUMN shaping;
ALTER TABLE endpoints ADD COLUMN extras TEXT;
ALTER TABLE endpoints ADD COLUMN entry_ifindex INTEGER;
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
    if (version < 1) throw damaged(path, `its layout is version ${version}, which never existed`);
    const check = pragma(db, "quick_check");
    if (check !== "ok") throw damaged(path, `its check says "${String(check).slice(0, 200)}"`);
  }
  if (isEmpty) db.exec("PRAGMA page_size = 1024");
  // Only now: switching the journal writes to the file.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  if (isEmpty) db.exec(`BEGIN IMMEDIATE;${SCHEMA}COMMIT`);
  else if (version < SCHEMA_VERSION) db.exec(`BEGIN IMMEDIATE;${FROM_1}COMMIT`);
}
