// Looks whether a program or a file is there, without starting anything.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

function isReadable(file, mode) {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

/** Administrators' programs live in sbin, which a plain login's PATH may lack. */
export function withSbin(path) {
  const have = (path ?? "").split(delimiter).filter((p) => p !== "");
  const more = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];
  return [...have, ...more.filter((p) => !have.includes(p))].join(delimiter);
}

/** The path of a program on PATH, or undefined. */
export function findProgram(name, path = withSbin(process.env.PATH)) {
  return path
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((file) => isReadable(file, constants.X_OK));
}

/** Whether a probe of the package table is met: an absolute path is a file, anything else a program. */
export function isThere(probe) {
  return probe.startsWith("/") ? isReadable(probe, constants.R_OK) : findProgram(probe) !== undefined;
}
