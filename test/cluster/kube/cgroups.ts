/**
 * Control groups of the test cluster: below this run's own directory in every hierarchy one for each of its machines, which
 * share the processors alike. A node's daemons are in one group and its pods in another, as systemd and the kubelet have it:
 * in no group, each of their threads would weigh as much as all pods of all nodes together.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cgroupParent } from "../../fixture/cgroups.ts";

/** Under which name groups are made and swept. */
export const CGROUP_PREFIX = "twill-kube-test";

const ROOT = "/sys/fs/cgroup";
/** A node's group of daemons, beside the kubelet's `kubepods`. */
const DAEMONS = "system";

/** The group of a machine, below which the kubelet puts pods. */
export function cgroupRootOf(machine: string): string {
  return `${cgroupParent(CGROUP_PREFIX)}/${machine}`;
}

/**
 * The command line that runs a machine's daemon with its share of the processors. With cgroup v2 alone boxes have groups of their own.
 * @param argv run in a box that sees this machine's hierarchies
 */
export function asDaemon(machine: string, argv: readonly string[]): string[] {
  const group = join(ROOT, "cpu", cgroupRootOf(machine), DAEMONS);
  return existsSync(group) ? ["sh", "-c", `echo 0 > '${group}/cgroup.procs' && exec "$@"`, "sh", ...argv] : [...argv];
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

/** Makes a machine's groups in every hierarchy. */
export function makeCgroups(machine: string): void {
  const isUnified = existsSync(join(ROOT, "cgroup.procs"));
  const hierarchies = isUnified ? [ROOT] : readdirSync(ROOT, { withFileTypes: true }).filter((e) => e.isDirectory());
  for (const hierarchy of hierarchies) {
    const root = typeof hierarchy === "string" ? hierarchy : join(ROOT, hierarchy.name);
    const own = join(root, cgroupRootOf(machine));
    for (const directory of [dirname(own), own, join(own, DAEMONS)]) {
      mkdirSync(directory, { recursive: true });
      inheritCpuset(directory);
    }
  }
}
