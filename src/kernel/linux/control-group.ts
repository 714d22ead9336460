/**
 * Control groups of a cgroup2 file system: which one holds the node's processes and pods. A node has such a file system
 * beside those of cgroup v1 (systemd's "hybrid" at /sys/fs/cgroup/unified) or alone.
 */

import { readFileSync, statfsSync, statSync } from "node:fs";
import process from "node:process";
import { err, ok, type Result } from "../../base/result.ts";
import type { ControlGroup } from "../../plan/rows.ts";

const CGROUP2_MAGIC = 0x63677270;
/** Where one looks first: everywhere else it may be a part that somebody mounted for a purpose of their own. */
const USUAL = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/** A control group by its path: `id` is its inode number, by which the kernel names it. */
export function controlGroupAt(path: string): Result<ControlGroup> {
  try {
    if (statfsSync(path).type !== CGROUP2_MAGIC) return err(`"${path}" is not on a cgroup2 file system`);
    return ok({ path, id: statSync(path).ino });
  } catch (cause) {
    return err(`Cannot look at "${path}": ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`);
  }
}

/** Mount points of cgroup2 in a process's view (proc(5), mountinfo). */
export function cgroup2Mounts(mountinfo: string): string[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const point = left.split(" ")[4];
    return point !== undefined && right.startsWith("cgroup2 ") ? [unescapePath(point)] : [];
  });
}

function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The group at a mount point that a process sees, a usual one first. @param prefix by which its paths are reached */
function mountedGroup(pid: number | "self", prefix: string): Result<ControlGroup> {
  // A node with hundreds of pods has thousands of mounts, and this is asked in every run: they are read where nobody else knows.
  for (const path of USUAL) {
    const usual = controlGroupAt(prefix + path);
    if (usual.ok) return usual;
  }
  const points = cgroup2Mounts(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
  const groups = points.map((p) => controlGroupAt(prefix + p));
  return groups.find((g) => g.ok) ?? groups[0] ?? err("No cgroup2 file system is mounted");
}

/** Where this process sees the machine's cgroup2; undefined: nowhere. */
export function cgroup2Root(): string | undefined {
  const found = mountedGroup("self", "");
  return found.ok ? found.value.path : undefined;
}

function isSameNamespace(kind: "net" | "mnt", own: string): boolean {
  const [a, b] = [statSync(`/proc/1/ns/${kind}`), statSync(own)];
  return a.ino === b.ino && a.dev === b.dev;
}

/**
 * The group that all processes of this node are in: what its first process has mounted. An agent in a container sees that
 * process where it shares the node's process numbers (`hostPID`). A process of another network is no node's first one.
 * @param netns the node's network namespace
 */
export function rootControlGroup(netns: string): Result<ControlGroup> {
  if (process.pid === 1)
    return err("This process sees none of the node's: it needs the node's process numbers (hostPID)");
  try {
    if (!isSameNamespace("net", netns))
      return err("The first process is in another network: there is no telling whose it is");
    const prefix = isSameNamespace("mnt", "/proc/self/ns/mnt") ? "" : "/proc/1/root";
    return mountedGroup(1, prefix);
  } catch (cause) {
    return err(`Cannot look at the first process: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`);
  }
}
