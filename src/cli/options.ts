/** Options that commands share, and the configuration that follows from them. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { AgentConfig, AgentPaths } from "../agent/config/config.ts";
import {
  DEFAULT_CONFIG_FILE,
  DEFAULT_COOL_DOWN_SECONDS,
  DEFAULT_PATHS,
  RUN_FILES,
} from "../agent/config/default-paths.ts";
import type { ConfigSource } from "../agent/config/load.ts";
import { type Io, UsageError } from "./io.ts";

/** Options of commands that work on this node. */
export interface NodeOptions {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly runDir?: string;
  readonly json?: boolean;
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Adds `--config`, `--set` and `--run-dir`. */
export function withNodeOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", `configuration file (default: ${DEFAULT_CONFIG_FILE} if it is there)`)
    .option("--set <path=value>", "a value over the file's, as tunnel.port=4789; may be repeated", collect)
    .option("--run-dir <dir>", `the agent's run directory (default: ${DEFAULT_PATHS.run})`);
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.option("--json", "print JSON, for programs");
}

/** `path=value` texts as a map. @throws UsageError */
function parseSets(texts: readonly string[]): Map<string, string> {
  const sets = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw new UsageError(`"${text}" is not PATH=VALUE, as in --set tunnel.port=4789`);
    sets.set(text.slice(0, at), text.slice(at + 1));
  }
  return sets;
}

/** The whole configuration. @param extra values of a command's own options, by path; undefined ones are left out */
export async function loadCommandConfig(
  io: Io,
  options: NodeOptions,
  extra: Readonly<Record<string, string | undefined>> = {},
  base: object = {},
): Promise<AgentConfig> {
  // Parsing and checking take longer than most commands: loaded only where it is needed.
  const { loadConfig } = await import("../agent/config/load.ts");
  return loadConfig(configSource(io, options, extra, base));
}

/** Where the configuration of a command is read. @throws UsageError */
export function configSource(
  io: Io,
  options: NodeOptions,
  extra: Readonly<Record<string, string | undefined>> = {},
  base: object = {},
): ConfigSource {
  const set = parseSets(options.set ?? []);
  const own = { ...extra, "paths.run": options.runDir };
  // As JSON, so that no text is read as a number or a list.
  for (const [path, value] of Object.entries(own)) if (value !== undefined) set.set(path, JSON.stringify(value));
  return { file: options.config, set, env: io.env, base };
}

/** The little of a configuration that most commands need. */
export interface NodeBasics {
  readonly paths: AgentPaths;
  readonly coolDownMs: number;
}

/** Where things are and how the ledger behaves; without reading a configuration when there is none to read. */
export async function nodeBasics(io: Io, options: NodeOptions): Promise<NodeBasics> {
  const isPlain = options.config === undefined && options.set === undefined && !existsSync(DEFAULT_CONFIG_FILE);
  if (isPlain) {
    const paths = { ...DEFAULT_PATHS, ...(options.runDir === undefined ? {} : { run: options.runDir }) };
    return { paths, coolDownMs: DEFAULT_COOL_DOWN_SECONDS * 1000 };
  }
  const { paths, ipam } = await loadCommandConfig(io, options);
  return { paths, coolDownMs: ipam.coolDownMs };
}

/** Where things are. */
export async function nodePaths(io: Io, options: NodeOptions): Promise<AgentPaths> {
  return (await nodeBasics(io, options)).paths;
}

/** Whether there is a ledger: opening one makes it, and looking must change nothing. */
export function hasLedger(paths: AgentPaths): boolean {
  return existsSync(join(paths.run, RUN_FILES.ledger));
}

/** The agent's control socket. */
export function controlSocket(paths: AgentPaths): string {
  return join(paths.run, RUN_FILES.control);
}
