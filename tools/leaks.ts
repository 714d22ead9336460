/**
 * What tests may leave behind on a machine, photographed before and after a run. Only what is new counts: a machine's own
 * namespaces, links and mounts are none of our business.
 */

import { type Dirent, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Environment variable that every process of a test run inherits, so that what outlives the run can be told apart. */
export const runMark = "TWILL_TEST_RUN";

/** Kinds of things, each a set of names. */
export type Photograph = ReadonlyMap<string, ReadonlySet<string>>;

/** What a room has of its own, and what it shares with others whose tests run at the same time. */
export type Scope = "room" | "machine";

function entries(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}

/** Everything below a folder, at most `depth` levels down. */
function below(dir: string, depth: number, wanted: (path: string) => boolean): string[] {
  return entries(dir).flatMap((e) => {
    const path = join(dir, e.name);
    const more = e.isDirectory() && depth > 1 ? below(path, depth - 1, wanted) : [];
    return wanted(path) ? [path, ...more] : more;
  });
}

/** Files and folders of a folder whose names begin with Twill's, and what they hold, so many levels down. */
function named(dir: string, depth: number): string[] {
  const isOurs = (name: string) => name.startsWith("twill") || name.startsWith("10-twill");
  return entries(dir)
    .filter((e) => isOurs(e.name))
    .flatMap((e) => [join(dir, e.name), ...(depth > 0 ? below(join(dir, e.name), depth, () => true) : [])]);
}

/** Mount points of this process's mount namespace, with their file system's type. */
function mounts(): { point: string; type: string }[] {
  return text("/proc/self/mountinfo")
    .split("\n")
    .filter((l) => l !== "")
    .map((l) => {
      const [left = "", right = ""] = l.split(" - ");
      return { point: left.split(" ")[4] ?? "", type: right.split(" ")[0] ?? "" };
    });
}

const ourMounts = /twill|\/run\/netns\/|containerd|\/containers\/|\/run\/cni/;
const ourCgroups = /twill|k8s\.io|kubepods|libpod|cri-containerd/;

/** Network links of this process's network namespace, which `/sys` need not show. */
function links(): string[] {
  return text("/proc/self/net/dev")
    .split("\n")
    .flatMap((l) => /^ *([^ ]+):/.exec(l)?.[1] ?? []);
}

/**
 * Takes the photograph. Processes are not in it: {@link survivors} finds those by their mark.
 * @param scope of a room only what is its own; of the machine everything
 */
export function photograph(scope: Scope = "machine"): Photograph {
  const mounted = mounts();
  const bpf = mounted.filter((m) => m.type === "bpf").map((m) => m.point);
  const kinds: [string, string[]][] = [
    ["named network namespace", entries("/run/netns").map((e) => e.name)],
    ["network link", links()],
    ["mount", mounted.filter((m) => m.type === "nsfs" || ourMounts.test(m.point)).map((m) => m.point)],
    ["mounted bpf file system", bpf],
    ["bpf pin", bpf.flatMap((dir) => below(dir, 4, () => true))],
    ["file", named("/run", 4)],
    ["temporary file", named(tmpdir(), 0)],
  ];
  if (scope === "machine")
    kinds.push(
      ["control group", below("/sys/fs/cgroup", 6, (p) => ourCgroups.test(p) && entries(p).length > 0)],
      ["shared file", ["/etc", "/etc/cni/net.d", "/opt/cni/bin", "/var/lib"].flatMap((dir) => named(dir, 4))],
    );
  return new Map(kinds.map(([kind, names]) => [kind, new Set(names)]));
}

/** `kind: name` for everything that is in the second photograph only; what lies below such a thing goes without saying. */
export function newThings(before: Photograph, after: Photograph): string[] {
  return [...after].flatMap(([kind, names]) => {
    const fresh = new Set([...names].filter((n) => before.get(kind)?.has(n) !== true));
    return [...fresh].filter((n) => !fresh.has(dirname(n))).map((n) => `${kind}: ${n}`);
  });
}

/** Processes that carry the mark of a run, each with the network namespace that it keeps alive. */
export function survivors(mark: string): string[] {
  const own = link("/proc/self/ns/net");
  return entries("/proc")
    .filter((e) => /^\d+$/.test(e.name) && e.name !== String(process.pid))
    .filter((e) => text(`/proc/${e.name}/environ`).split("\0").includes(`${runMark}=${mark}`))
    .map((e) => {
      const command = text(`/proc/${e.name}/cmdline`).replaceAll("\0", " ").trim();
      const netns = link(`/proc/${e.name}/ns/net`);
      return `process ${e.name}: ${command.slice(0, 200)}${netns === own ? "" : ` (in its own ${netns})`}`;
    });
}
