/** Lets what is measured, and what it is measured against, go before everything else that the machine does. */

import { existsSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";

/**
 * Gives a process the highest priority among its equals, and its session the highest among sessions: where the kernel
 * groups by session (`sched_autogroup_enabled`), the first alone would count for nothing. Children inherit both.
 */
export function goFirst(pid = process.pid): void {
  setPriority(pid, constants.priority.PRIORITY_HIGHEST);
  const session = `/proc/${pid}/autogroup`;
  if (existsSync(session)) writeFileSync(session, String(constants.priority.PRIORITY_HIGHEST));
}
