/** Reads the configuration of this node: its file, what stands on the command line, and the environment. */

import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type AgentConfig, ConfigError, configInput, type ReadConfig, readConfig } from "./config.ts";
import { DEFAULT_CONFIG_FILE } from "./default-paths.ts";
import type { ConfigRecipe } from "./live-config.ts";

/** Longest file that is read: a configuration is some kilobytes. */
const MAX_FILE_BYTES = 1 << 20;

/** Where to read. */
export interface ConfigSource {
  /** undefined: {@link DEFAULT_CONFIG_FILE} if it is there, else all defaults. */
  readonly file: string | undefined;
  /** Values by path, over the file. */
  readonly set: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** See {@link ConfigOverrides.base}. */
  readonly base?: object;
}

function readText(file: string | undefined): string {
  const path = file ?? DEFAULT_CONFIG_FILE;
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > MAX_FILE_BYTES)
      throw new ConfigError(`"${path}"`, [{ path: "", message: `It has more than ${MAX_FILE_BYTES} bytes` }]);
    return text;
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (file === undefined && code === "ENOENT") return "";
    throw new ConfigError(`"${path}"`, [{ path: "", message: `It cannot be read: ${code}` }], { cause });
  }
}

/** How the configuration is made of its file as it is now. @throws ConfigError when the file cannot be read */
export function loadRecipe(source: ConfigSource): ConfigRecipe {
  const defaultNodeName = source.env["NODE_NAME"] || hostname();
  const { set, base = {} } = source;
  const text = readText(source.file);
  return { defaultNodeName, inputWith: (over) => configInput(text, { set, defaultNodeName, base, over }) };
}

/** The configuration without the cluster's objects. @throws ConfigError with all issues */
export function loadPlain(recipe: ConfigRecipe, source: Pick<ConfigSource, "file">): ReadConfig {
  const input = recipe.inputWith([]);
  const read = input.ok ? readConfig(input.value, recipe.defaultNodeName) : input;
  if (read.ok) return read.value;
  const file = source.file ?? (existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : undefined);
  throw new ConfigError(file === undefined ? "of the command line" : `"${file}"`, read.error);
}

/** The complete configuration. @throws ConfigError with all issues */
export function loadConfig(source: ConfigSource): AgentConfig {
  return loadPlain(loadRecipe(source), source).config;
}
