/** Opens the ledger of a node: the one way to get one. */

import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { toLedgerError } from "./error.ts";
import type { Ledger } from "./ledger.ts";
import { type OperationLock, openOperationLock } from "./lock.ts";
import { prepareSchema } from "./schema.ts";
import { SqliteLedger } from "./sqlite-ledger.ts";

/** Where the ledger is and how it behaves. */
export interface LedgerOptions {
  /** As `/run/twill/ledger.db`; `.lock` is appended for the lock's file. */
  readonly path: string;
  /** The kernel's `random/boot_id`. Attachments of another boot are removed when opening. */
  readonly bootId: string;
  /** How long a released address rests before it is given out again, as long as others are free. */
  readonly coolDownMs: number;
  /** How long to wait for another process. */
  readonly lockTimeoutMs: number;
  /** Milliseconds of a clock that never goes back and that all processes of the boot share. */
  readonly monotonicMs: () => number;
}

/** Makes a file that only its owner reads: what SQLite puts beside it takes the same mode. */
function touch(path: string): void {
  closeSync(openSync(path, "a", 0o600));
}

function openDatabase(options: LedgerOptions, lock: OperationLock): Ledger {
  const db = new DatabaseSync(options.path, { timeout: options.lockTimeoutMs });
  try {
    return lock.hold(() => {
      prepareSchema(db, options.path);
      return new SqliteLedger(db, lock, options);
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Opens the ledger, and makes it when there is none. A file that cannot be used is left exactly as it is.
 * @throws LedgerError
 */
export function openLedger(options: LedgerOptions): Ledger {
  let lock: OperationLock | undefined;
  try {
    mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
    const lockPath = `${options.path}.lock`;
    touch(lockPath);
    touch(options.path);
    lock = openOperationLock(lockPath, options.lockTimeoutMs);
    return openDatabase(options, lock);
  } catch (error) {
    lock?.[Symbol.dispose]();
    throw toLedgerError(options.path, error);
  }
}
