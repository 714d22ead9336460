/** The repository's own files, as git knows them: tracked, or new and not ignored. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the checkout. */
export const repoRoot: string = dirname(dirname(fileURLToPath(import.meta.url)));

/** Paths relative to the root, with `/`, sorted. Files that git knows but that were just deleted are left out. */
export function repoFiles(): string[] {
  // Whoever runs this may not be who cloned it (root in a user's checkout); listing files runs nothing of the checkout's.
  const out = execFileSync(
    "git",
    ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      cwd: repoRoot,
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  const all = new Set(out.toString("utf8").split("\0"));
  return [...all].filter((f) => f !== "" && existsSync(join(repoRoot, f))).sort();
}

/** The text of a file of the repository. */
export function repoText(file: string): string {
  return readFileSync(join(repoRoot, file), "utf8");
}
