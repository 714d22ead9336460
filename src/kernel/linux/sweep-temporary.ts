/** What runs of tests that were killed left in the folder for temporary files. */

import { existsSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Removes what is named after a process that no longer lives. @param pattern of names; its group is the process's number */
export function sweepTemporary(pattern: RegExp): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = pattern.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}
