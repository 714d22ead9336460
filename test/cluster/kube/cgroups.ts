/** Control groups of the test cluster's nodes: one below this run's own directory in every hierarchy. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cgroupParent } from "../../fixture/cgroups.ts";

/** Under which name groups are made and swept. */
export const CGROUP_PREFIX = "twill-kube-test";

const ROOT = "/sys/fs/cgroup";

/** The group below which a node's pods are, as the kubelet takes it. */
export function cgroupRootOf(node: string): string {
  return `${cgroupParent(CGROUP_PREFIX)}/${node}`;
}

/** A version 1 cpuset starts without CPUs and takes no process. */
function inheritCpuset(directory: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const path = join(directory, file);
    if (!existsSync(path) || readFileSync(path, "utf8").trim() !== "") continue;
    const above = readFileSync(join(dirname(directory), file), "utf8").trim();
    if (above !== "") writeFileSync(path, above);
  }
}

/** Makes a node's group in every hierarchy. */
export function makeCgroups(node: string): void {
  const isUnified = existsSync(join(ROOT, "cgroup.procs"));
  const hierarchies = isUnified ? [ROOT] : readdirSync(ROOT, { withFileTypes: true }).filter((e) => e.isDirectory());
  for (const hierarchy of hierarchies) {
    const root = typeof hierarchy === "string" ? hierarchy : join(ROOT, hierarchy.name);
    const own = join(root, cgroupRootOf(node));
    for (const directory of [dirname(own), own]) {
      mkdirSync(directory, { recursive: true });
      inheritCpuset(directory);
    }
  }
}
