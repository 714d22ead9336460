/**
 * Control groups for tests: below one directory of the machine's cgroup2, named after the test's process. What a killed
 * run left is swept by the next.
 */

import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { cgroup2Root } from "./control-group.ts";

const PARENT = "twill-kernel-test";

let count = 0;

/** Makes a group, which is removed at the end of the process at the latest; undefined: this machine does not allow it. */
export function makeTestGroup(): string | undefined {
  const root = cgroup2Root();
  if (root === undefined) return undefined;
  const parent = join(root, PARENT);
  const path = join(parent, `${process.pid}-${count++}`);
  try {
    mkdirSync(path, { recursive: true });
  } catch {
    return undefined;
  }
  for (const name of readdirSync(parent))
    if (/^[0-9]+-[0-9]+$/.test(name) && !existsSync(`/proc/${name.split("-")[0]}`)) removeTestGroup(join(parent, name));
  process.once("exit", () => removeTestGroup(path));
  return path;
}

/** Removes an empty group, and the directory of all with the last one. */
export function removeTestGroup(path: string): void {
  for (const directory of [path, join(path, "..")]) {
    try {
      rmdirSync(directory);
    } catch {
      // Gone already, or others are in there.
    }
  }
}
