/**
 * The node's operation lock: one process at a time attaches, detaches or sweeps.
 *
 * It is SQLite's write lock on a second, empty file, since that is a record lock of the kernel's (fcntl): it works
 * between containers that share the directory, and it falls when its holder dies, however it dies.
 */

import { DatabaseSync } from "node:sqlite";

/** See the file's comment. */
export interface OperationLock extends Disposable {
  /** Runs with the lock held; nesting is allowed. @throws an SQLITE_BUSY error after the time limit */
  hold<T>(work: () => T): T;
}

/** Opens the lock file, which is made when missing. */
export function openOperationLock(path: string, timeoutMs: number): OperationLock {
  const db = new DatabaseSync(path, { timeout: timeoutMs });
  // With a write-ahead log, taking the lock is two system calls instead of some twenty.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  const begin = db.prepare("BEGIN IMMEDIATE");
  const rollback = db.prepare("ROLLBACK");
  let depth = 0;
  return {
    hold(work) {
      if (depth === 0) begin.run();
      depth++;
      try {
        return work();
      } finally {
        depth--;
        if (depth === 0) rollback.run();
      }
    },
    [Symbol.dispose]() {
      db.close();
    },
  };
}
