/** Where Twill's own files are: a checkout, or the folder that an image brings, with the same paths below it. */

import { findPackageJSON } from "node:module";
import { dirname, extname, join } from "node:path";

/** The folder with `package.json`, `src`, `build` and `bpf`. */
export const HOME = dirname(findPackageJSON(import.meta.url) ?? "/");

/** Path of one of Twill's files. @param path as in the checkout */
export function homeFile(path: string): string {
  return join(HOME, path);
}

/** Path of a program below `src`: TypeScript here, JavaScript in an image. @param path without extension */
export function homeProgram(path: string): string {
  return `${join(HOME, "src", path)}${extname(import.meta.url)}`;
}
