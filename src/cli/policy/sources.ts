/** Where a question's cluster comes from: files, or a Kubernetes API. */

import type { Command } from "commander";
import { formatIssues } from "../../base/issue.ts";
import type { Refusal } from "../../cluster/directory/world-of-files.ts";
import type { World } from "../../policy/ask/world.ts";
import type { Io } from "../io.ts";

/** Options of commands that ask about a cluster. */
export interface WorldOptions {
  readonly dir?: readonly string[];
  readonly json?: boolean;
}

/** A cluster to ask about. */
export interface OpenWorld {
  readonly world: World;
  readonly refused: readonly Refusal[];
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Adds `--dir`. */
export function withWorldOptions(command: Command): Command {
  return command.option("--dir <path>", "a directory or file of objects as YAML or JSON; may be repeated", collect);
}

/** `FILE#DOCUMENT: KIND NAME`, for people. */
export function placeText(r: Refusal): string {
  const what = [r.kind, r.name].filter((w) => w !== undefined && w !== "").join(" ");
  return `${r.file}#${r.place}${what === "" ? "" : `: ${what}`}`;
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

/** Refused objects take no part in an answer: who asks is told on standard error. */
export function warnOfRefused(io: Io, refused: readonly Refusal[]): void {
  if (refused.length === 0) return;
  const [n, verb] = refused.length === 1 ? ["1 object is", "takes"] : [`${refused.length} objects are`, "take"];
  io.err(io.palette.warn(`${n} refused and ${verb} no part in this answer:\n`));
  for (const r of refused) io.err(refusalText(r));
}

/** Reads the cluster. @throws ClusterError or UsageError */
export async function openWorld(_io: Io, options: WorldOptions): Promise<OpenWorld> {
  const { readFiles, readPaths } = await import("../../cluster/directory/read-once.ts");
  const { worldOfFiles } = await import("../../cluster/directory/world-of-files.ts");
  return worldOfFiles(readFiles(await readPaths(options.dir ?? [])));
}
