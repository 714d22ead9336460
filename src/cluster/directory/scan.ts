/** Which files a directory holds, with what tells a changed one from an unchanged one. */

import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";

/** Files that are looked at. */
const MAX_FILES = 10_000;
const MAX_DEPTH = 8;

/** A file as it was found. */
export interface FoundFile {
  /** Relative to the directory. */
  readonly path: string;
  readonly bytes: number;
  /** Differs when the content may differ. */
  readonly stamp: string;
}

/** Result of a scan. */
export interface Scan {
  /** In order of their paths. */
  readonly files: readonly FoundFile[];
  /** There were more than are looked at. */
  readonly isTruncated: boolean;
}

const WANTED = /\.(ya?ml|json)$/i;

/**
 * Looks through a directory and those below it. Names with a dot at their beginning are skipped, which also makes a
 * mounted ConfigMap (`..data` and its links) show each file once. Links to files are followed.
 * @throws Error when the directory itself cannot be read
 */
export async function scanDirectory(root: string): Promise<Scan> {
  const files: FoundFile[] = [];
  let isTruncated = false;

  async function addFile(path: string): Promise<void> {
    // Gone since the directory was read: the next scan will not find it.
    const info = await stat(path).catch(() => undefined);
    if (info === undefined || !info.isFile()) return;
    const stamp = `${info.dev}:${info.ino}:${info.size}:${info.mtimeMs}:${info.ctimeMs}`;
    files.push({ path: relative(root, path), bytes: info.size, stamp });
  }

  async function visit(directory: string, depth: number): Promise<void> {
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      if (depth === 0) throw error;
      return [];
    });
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (depth < MAX_DEPTH) await visit(path, depth + 1);
      } else if (WANTED.test(entry.name)) {
        if (files.length < MAX_FILES) await addFile(path);
        else isTruncated = true;
      }
    }
  }
  await visit(root, 0);
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files, isTruncated };
}
