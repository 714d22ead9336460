/** What the agent leaves for the time when it is away: how to start the offline program, and what it must know. */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { homeProgram } from "../../kernel/linux/home.ts";
import { formatOfflineSettings, type OfflineSettings, parseOfflineSettings } from "./offline-settings.ts";
import { writeWhole } from "./whole-file.ts";

/** Read by native/shim.c: one argument a line. */
export const OFFLINE_ARGV_FILE = "offline.argv";
/** Read by the offline program. */
const OFFLINE_SETTINGS_FILE = "offline.json";
/** Below the run directory: where Node keeps the offline program compiled, unless the agent has such a place itself. */
const CACHE_DIRECTORY = "compile-cache";

/** What the last agent of this boot left; undefined: nothing that can be read. */
export function readOfflineSettings(runDirectory: string): OfflineSettings | undefined {
  let text: string;
  try {
    text = readFileSync(join(runDirectory, OFFLINE_SETTINGS_FILE), "utf8");
  } catch {
    // The first agent of this boot.
    return undefined;
  }
  const settings = parseOfflineSettings(text);
  return settings.ok ? settings.value : undefined;
}

/** Command line of the offline program as this process would start it. */
export function offlineArgv(runDirectory: string): readonly string[] {
  const entry = homeProgram("agent/cni/offline-main");
  // What the agent has compiled is half of what the offline program needs.
  const cache = process.env["NODE_COMPILE_CACHE"] ?? join(runDirectory, CACHE_DIRECTORY);
  const settings = join(runDirectory, OFFLINE_SETTINGS_FILE);
  return [process.execPath, "--disable-warning=ExperimentalWarning", entry, settings, cache];
}

/**
 * Writes both files, settings first; what is right already is not touched.
 * @param argv of a program that can be started where the runtime starts plugins; each argument without line breaks
 */
export function writeOfflineFiles(settings: OfflineSettings, argv = offlineArgv(settings.runDirectory)): boolean {
  const { runDirectory } = settings;
  if (argv.some((a) => a.includes("\n") || a === ""))
    throw new RangeError("An argument of the offline program is empty or has a line break");
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
  const changed = writeWhole(join(runDirectory, OFFLINE_SETTINGS_FILE), formatOfflineSettings(settings), 0o600);
  return writeWhole(join(runDirectory, OFFLINE_ARGV_FILE), `${argv.join("\n")}\n`, 0o600) || changed;
}
