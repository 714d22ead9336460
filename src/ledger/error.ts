/** Refusals of a ledger, and the translation of SQLite's. */

/** Why a ledger cannot be used. */
export type LedgerErrorCode =
  /** Written by a newer Twill. */
  | "LEDGER_NEWER"
  /** Not a ledger, or one that SQLite finds malformed. */
  | "LEDGER_DAMAGED"
  /** Another process held the lock for longer than the time limit. */
  | "LEDGER_BUSY"
  /** Anything else: permissions, space. */
  | "LEDGER_IO";

/** A ledger that cannot be opened or used; the message says what to do. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  readonly path: string;

  constructor(code: LedgerErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LedgerError";
    this.code = code;
    this.path = path;
  }
}

/** Primary result codes (sqlite.org/rescode.html). */
const SQLITE = { busy: 5, locked: 6, corrupt: 11, notADatabase: 26 } as const;

const KEPT =
  "Nothing was changed in it. Drain the node, move the file away and start the agent again: pods that still run must be started anew";

/** The refusal of a file that is no usable ledger. */
export function damaged(path: string, why: string, cause?: unknown): LedgerError {
  return new LedgerError("LEDGER_DAMAGED", path, `Cannot use ledger "${path}": ${why}. ${KEPT}`, { cause });
}

/** The refusal of a file of a later layout. */
export function newer(path: string, found: number, known: number): LedgerError {
  return new LedgerError(
    "LEDGER_NEWER",
    path,
    `Cannot use ledger "${path}": its layout is version ${found}, and this Twill knows ${known}. ` +
      "Start the newer Twill that wrote it; to go back, drain the node and move the file away",
  );
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  // The low byte of an extended code is its primary code.
  return error.errcode & 0xff;
}

/** What an exception of SQLite or of the file system means for the ledger; errors of other kinds come back as they are. */
export function toLedgerError(path: string, error: unknown): unknown {
  if (error instanceof LedgerError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  switch (sqliteCode(error)) {
    case undefined:
      if (!(error instanceof Error) || !("syscall" in error)) return error;
      return new LedgerError("LEDGER_IO", path, `Cannot use ledger "${path}": ${reason}`, { cause: error });
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return damaged(path, reason, error);
    case SQLITE.busy:
    case SQLITE.locked:
      return new LedgerError("LEDGER_BUSY", path, `Cannot lock ledger "${path}": another process of Twill holds it`, {
        cause: error,
      });
    default:
      return new LedgerError("LEDGER_IO", path, `Cannot use ledger "${path}": ${reason}`, { cause: error });
  }
}
