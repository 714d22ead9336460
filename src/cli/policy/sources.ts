/** Where a question's cluster comes from: files, or a Kubernetes API. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { formatIssues } from "../../base/issue.ts";
import { VERSION } from "../../base/version.ts";
import type { Refusal } from "../../cluster/directory/read-once.ts";
import type { World } from "../../policy/ask/world.ts";
import type { PolicyMode } from "../../policy/from-objects.ts";
import { type Io, UsageError } from "../io.ts";

/** Options of commands that ask about a cluster. */
export interface WorldOptions {
  readonly dir?: readonly string[];
  readonly kubeconfig?: string;
  readonly timeout: string;
  readonly mode: string;
  readonly json?: boolean;
}

/** A cluster to ask about. */
export interface OpenWorld {
  readonly world: World;
  readonly refused: readonly Refusal[];
}

const DEFAULT_TIMEOUT_S = "30";
const MAX_TIMEOUT_S = 3600;

/** Values of an option that may be repeated. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Adds `--dir`, `--kubeconfig`, `--mode` and `--timeout`. */
export function withWorldOptions(command: Command): Command {
  return command
    .option(
      "--dir <path>",
      "a directory or file of objects as YAML or JSON instead of a cluster; may be repeated",
      collect,
    )
    .option("--kubeconfig <file>", "the cluster to ask about (default: $KUBECONFIG, ~/.kube/config, the pod's account)")
    .option("--mode <mode>", "the agents' policy.mode: default, always or never", "default")
    .option("--timeout <seconds>", "how long to wait for the cluster's objects", DEFAULT_TIMEOUT_S);
}

/** The value of an `ok`. @throws UsageError else */
export function need<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  if (!result.ok) throw new UsageError(result.error);
  return result.value;
}

/** `FILE#DOCUMENT: KIND NAME`, for people. */
function placeText(r: Refusal): string {
  const what = [r.kind, r.name].filter((w) => w !== undefined && w !== "").join(" ");
  const place = r.place === "" ? r.file : `${r.file}#${r.place}`;
  return `${place}${what === "" ? "" : `: ${what}`}`;
}

/** A refusal as lines, each issue on one of its own. */
export function refusalText(r: Refusal): string {
  return formatIssues(r.issues)
    .split("\n")
    .map((line) => `${placeText(r)}: ${line}\n`)
    .join("");
}

/** Refusals as programs read them: one entry for each issue. */
export function refusalJson(refused: readonly Refusal[]): object[] {
  return refused.flatMap(({ issues, kind = null, ...head }) => issues.map((issue) => ({ ...head, kind, ...issue })));
}

/** What is refused counts as something else or not at all (decision 53): who asks is told on standard error. */
export function warnOfRefused(io: Io, refused: readonly Refusal[]): void {
  if (refused.length === 0) return;
  const n = refused.length === 1 ? "1 object is" : `${refused.length} objects are`;
  io.err(
    io.palette.warn(
      `${n} refused; policies of a namespace close what they may select, sets keep what can be read, others take no part:\n`,
    ),
  );
  for (const r of refused) io.err(refusalText(r));
}

/** What `kubectl` would use where nothing is said. */
function homeConfig(io: Io): string | undefined {
  const { HOME: home = "", KUBECONFIG: named = "" } = io.env;
  const path = join(home, ".kube", "config");
  return named === "" && home !== "" && existsSync(path) ? path : undefined;
}

/** The mode of policy that the agents are configured for. @throws UsageError */
export function modeOf({ mode }: WorldOptions): PolicyMode {
  if (mode === "default" || mode === "always" || mode === "never") return mode;
  throw new UsageError(`"${mode}" is not a policy.mode: default, always or never`);
}

async function openCluster(io: Io, options: WorldOptions): Promise<OpenWorld> {
  const seconds = Number(options.timeout);
  if (options.timeout.trim() === "" || !(seconds > 0 && seconds <= MAX_TIMEOUT_S))
    throw new UsageError(`"${options.timeout}" is not a time-out: seconds up to ${MAX_TIMEOUT_S} are, as --timeout 30`);
  const { readCluster } = await import("../../cluster/read-cluster.ts");
  const { createWorld } = await import("../../policy/ask/world.ts");
  const kubeconfig = options.kubeconfig ?? homeConfig(io);
  const read = await readCluster(kubeconfig, { userAgent: `twill-policy/${VERSION}`, timeoutMs: seconds * 1000 });
  const refused = read.problems.map(
    (p): Refusal => ({ file: read.description, place: "", kind: undefined, name: p.subject, issues: p.issues }),
  );
  const closed = read.forbidden.map(({ table, reason }): Refusal => {
    const message = `Cannot be read and counts as empty: ${reason}`;
    return { file: read.description, place: "", kind: undefined, name: table, issues: [{ path: "", message }] };
  });
  return { world: createWorld(read.tables, modeOf(options)), refused: [...refused, ...closed] };
}

/** Reads the files or the cluster. @throws ClusterError or UsageError */
export async function openWorld(io: Io, options: WorldOptions): Promise<OpenWorld> {
  if (options.dir === undefined || options.dir.length === 0) return openCluster(io, options);
  const { readFiles, readPaths } = await import("../../cluster/directory/read-once.ts");
  const { worldOfFiles } = await import("../../cluster/directory/world-of-files.ts");
  return worldOfFiles(readFiles(await readPaths(options.dir)), modeOf(options));
}
