/** Reads files and directories of objects once, for whoever asks and goes: nothing is watched. */

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Issue } from "../../base/issue.ts";
import { createInterner } from "../../model/intern.ts";
import { ClusterError } from "../source.ts";
import { type FileContent, readFileContent } from "./read-file.ts";
import { scanDirectory } from "./scan.ts";

/** Largest file that is read. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** One file's text, and the name that messages call it by. */
export interface FileText {
  readonly path: string;
  readonly text: string;
}

/** One file, read. */
export interface ReadFile {
  readonly path: string;
  readonly content: FileContent;
}

/** An object that takes no part, and why. */
export interface Refusal {
  readonly file: string;
  /** Number of the document in the file, from 1, and of the item in a list: `3` or `3[0]`. */
  readonly place: string;
  /** undefined: it could not be made out. */
  readonly kind: string | undefined;
  /** `namespace/name` or name; `""`: it could not be made out. */
  readonly name: string;
  readonly issues: readonly Issue[];
}

async function filesBelow(path: string): Promise<string[]> {
  const info = await stat(path);
  if (!info.isDirectory()) return [path];
  const scan = await scanDirectory(path);
  if (scan.isTruncated) throw new Error("There are too many files");
  return scan.files.map((f) => join(path, f.path));
}

async function readText(path: string): Promise<FileText> {
  const { size } = await stat(path);
  if (size > MAX_FILE_BYTES) throw new Error(`"${path}" has ${size} bytes, at most ${MAX_FILE_BYTES} are read`);
  return { path, text: await readFile(path, "utf8") };
}

/**
 * The texts of files, and of all `.yaml`, `.yml` and `.json` files below directories, in the order of their names.
 * @throws ClusterError `NotFound` when one cannot be read
 */
export async function readPaths(paths: readonly string[]): Promise<FileText[]> {
  const texts: FileText[] = [];
  for (const path of paths)
    try {
      for (const file of await filesBelow(path)) texts.push(await readText(file));
    } catch (cause) {
      throw new ClusterError(`Cannot read objects from "${path}": ${(cause as Error).message}`, "NotFound", 0, {
        cause,
      });
    }
  return texts;
}

/** What is in the files. Labels are shared between all of them. */
export function readFiles(texts: readonly FileText[]): ReadFile[] {
  const interner = createInterner();
  return texts.map(({ path, text }) => ({ path, content: readFileContent(text, interner) }));
}
