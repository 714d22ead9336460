/** Kernel settings below /proc/sys, in the namespace of the calling thread. Names have slashes, as "net/ipv4/ip_forward". */

import { readFileSync, writeFileSync } from "node:fs";
import { KernelError } from "../kernel.ts";
import { attempt, ERRNO } from "./failure.ts";

/** Value with every run of white space as one space; undefined when there is no such setting. */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(pathOf(`read setting "${name}"`, name), "utf8")
      .trim()
      .replace(/\s+/g, " ");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    return attempt(`read setting "${name}"`, () => {
      throw error;
    });
  }
}

/** @throws KernelError ENOENT when there is no such setting, EINVAL when the value is refused */
export function writeSysctl(name: string, value: string): void {
  const op = `set "${name}" to "${value}"`;
  attempt(op, () => writeFileSync(pathOf(op, name), value, { flag: "r+" }));
}

function pathOf(op: string, name: string): string {
  const isName = name.split("/").every((part) => part !== "" && part !== "." && part !== ".." && !part.includes("\0"));
  if (!isName) throw new KernelError(op, "EINVAL", ERRNO.EINVAL, `"${name}" is no name of a setting`);
  return `/proc/sys/${name}`;
}
