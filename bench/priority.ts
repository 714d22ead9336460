/** Lets what is measured, and what it is measured against, go before everything else that the machine does. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";

/**
 * Gives all threads of a process the highest priority among their equals, and its session the highest among sessions: where the
 * kernel groups by session (`sched_autogroup_enabled`), the first alone would count for nothing. Children inherit both, and
 * threads that the process begins later.
 * @returns gives the session back what it had: it may be that of a terminal, and outlive the process
 */
export function goFirst(pid = process.pid): () => void {
  // A priority is a thread's: a collector whose own ones had none would wait for all that looks on.
  for (const thread of readdirSync(`/proc/${pid}/task`))
    try {
      setPriority(Number(thread), constants.priority.PRIORITY_HIGHEST);
    } catch (error) {
      // It has ended meanwhile.
      if ((error as { info?: { code?: string } }).info?.code !== "ESRCH") throw error;
    }
  const session = `/proc/${pid}/autogroup`;
  const before = existsSync(session) ? /nice (-?[0-9]+)/.exec(readFileSync(session, "utf8"))?.[1] : undefined;
  if (before === undefined) return () => undefined;
  writeFileSync(session, String(constants.priority.PRIORITY_HIGHEST));
  return () => writeFileSync(session, before);
}
