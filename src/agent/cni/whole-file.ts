/** Files that are there in whole or not at all, also after a crash of the machine. */

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The content, or undefined when there is no such file. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Writes beside, syncs, renames. A file that has the content already is not touched: runtimes watch for changes.
 * @returns whether anything was written
 */
export function writeWhole(path: string, content: Uint8Array | string, mode: number): boolean {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  if (readIfThere(path)?.equals(bytes) === true) return false;
  // A dot in front: runtimes that list the directory take it for nothing of theirs.
  const partial = join(dirname(path), `.twill-${process.pid}-${Math.random().toString(36).slice(2, 10)}.tmp`);
  try {
    const fd = openSync(partial, "wx", mode);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  sync(dirname(path));
  return true;
}
