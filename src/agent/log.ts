/** The agent's log: one JSON object per line on standard output. Names of fields: LOGGING.md. */

import pino from "pino";

/** The log that everything gets; see pino's Logger. */
export type Log = Pick<pino.Logger, "trace" | "debug" | "info" | "warn" | "error" | "fatal">;

/** Bytes of lines that wait for a slow reader; what is beyond is lost rather than the agent's time. */
const MAX_WAITING_BYTES = 1 << 20;

/** An open log. */
export interface OpenLog {
  readonly log: Log;
  /** Writes what waits. For the end of the process. */
  flush(): void;
  /** Changes the least important level that is written. */
  setLevel(level: string): void;
}

/** Opens the log. @param level least important level that is written */
export function openLog(level: string, node: string): OpenLog {
  const target = pino.destination({ dest: 1, sync: false, minLength: 0, maxLength: MAX_WAITING_BYTES });
  const log = pino(
    {
      level,
      base: { node },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      errorKey: "error",
    },
    target,
  );
  return {
    log,
    setLevel: (to) => {
      log.level = to;
    },
    flush() {
      try {
        target.flushSync();
      } catch {
        // The stream is not open yet, or its reader is gone: nothing can be said about it any more.
      }
    },
  };
}
