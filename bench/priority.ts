/** Lets what is measured, and what it is measured against, go before everything else that the machine does. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";

/**
 * Gives a process the highest priority among its equals, and its session the highest among sessions: where the kernel
 * groups by session (`sched_autogroup_enabled`), the first alone would count for nothing. Children inherit both.
 * @returns gives the session back what it had: it may be that of a terminal, and outlive the process
 */
export function goFirst(pid = process.pid): () => void {
  setPriority(pid, constants.priority.PRIORITY_HIGHEST);
  const session = `/proc/${pid}/autogroup`;
  const before = existsSync(session) ? /nice (-?[0-9]+)/.exec(readFileSync(session, "utf8"))?.[1] : undefined;
  if (before === undefined) return () => undefined;
  writeFileSync(session, String(constants.priority.PRIORITY_HIGHEST));
  return () => writeFileSync(session, before);
}
