/** Puts the plugin where the runtime looks for it: binaries first, the network configuration last. */

import { execFile } from "node:child_process";
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ChainedPlugin, formatConflist } from "../../cni/conflist.ts";
import { CNI_VERSIONS, type CniVersion } from "../../cni/version.ts";
import { readIfThere, writeWhole } from "./whole-file.ts";

/** Name of the network configuration; runtimes take the first by name. */
export const CONFLIST_FILE = "10-twill.conflist";

/** The shim's own idea of where the agent's socket is. */
const DEFAULT_RUN_DIRECTORY = "/run/twill";

/** Plugins that earlier versions chained. */
const CHAINED_BEFORE = ["portmap"] as const;
/** A runtime may attach by the list of before for so long after another one was written. */
const NOTICED_MS = 60_000;

const PROBE_TIMEOUT_MS = 5_000;

/** Where and what. */
export interface InstallOptions {
  /** The built shim. */
  readonly shim: string;
  readonly binDirectory: string;
  readonly confDirectory: string;
  /** Where the agent's socket is. */
  readonly runDirectory: string;
  readonly networkName: string;
  /**
   * Whether a pod of this node may have been attached by a list with other plugins: one that is as old as that, or whose ports
   * such a plugin has opened as well.
   * @param beforeMs wall clock, milliseconds
   */
  readonly hasPodsOf: (beforeMs: number) => boolean;
}

/** What {@link installCni} found and did. */
export interface Installed {
  readonly conflist: string;
  /** Plugins that stand behind Twill in the list, until no pod is left that came with them. */
  readonly chained: readonly string[];
  /** Files that were written; none when all was as it should be. */
  readonly written: readonly string[];
  /** Configurations whose names come before Twill's: the runtime uses the first of them instead. */
  readonly shadowedBy: readonly string[];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function versionsOf(path: string): Promise<readonly CniVersion[]> {
  const run = promisify(execFile)(path, { env: { CNI_COMMAND: "VERSION" }, timeout: PROBE_TIMEOUT_MS });
  run.child.stdin?.on("error", () => {
    // It ended without reading: its answer is what counts.
  });
  run.child.stdin?.end('{"cniVersion":"1.0.0"}');
  const answer: unknown = JSON.parse((await run).stdout);
  const listed =
    typeof answer === "object" && answer !== null && "supportedVersions" in answer ? answer.supportedVersions : [];
  return Array.isArray(listed) ? CNI_VERSIONS.filter((v) => listed.includes(v)) : [];
}

interface ListedBefore {
  readonly types: readonly string[];
  /** Wall clock, milliseconds: pods that are older were attached by another list. */
  readonly sinceMs: number;
}

/** What the list says that stands there; nothing where it cannot be read. */
function listedBefore(conflist: string): ListedBefore {
  const nothing = { types: [], sinceMs: 0 };
  const text = readIfThere(conflist);
  if (text === undefined) return nothing;
  try {
    const { plugins } = JSON.parse(text.toString()) as {
      plugins: readonly { type: string; capabilities?: { portMappings?: boolean } }[];
    };
    const isOwn = plugins.some((p) => p.type === "twill" && p.capabilities?.portMappings === true);
    // By a list of long ago any pod may have been attached.
    const sinceMs = isOwn ? statSync(conflist).mtimeMs : Number.POSITIVE_INFINITY;
    return { types: plugins.map((p) => p.type), sinceMs };
  } catch {
    return nothing;
  }
}

/** Those that have to stay, are installed and speak a version of ours. */
async function findChained(options: InstallOptions, conflist: string): Promise<readonly ChainedPlugin[]> {
  const directory = options.binDirectory;
  const before = listedBefore(conflist);
  const wanted = CHAINED_BEFORE.filter((type) => before.types.includes(type));
  if (wanted.length === 0 || !options.hasPodsOf(before.sinceMs + NOTICED_MS)) return [];
  const found = await Promise.all(
    wanted.map(async (type): Promise<readonly ChainedPlugin[]> => {
      const path = join(directory, type);
      if (!isExecutable(path)) return [];
      try {
        return [{ type, versions: await versionsOf(path) }];
      } catch {
        // It is there and does not work: a list that names it would keep every pod from starting.
        return [];
      }
    }),
  );
  return found.flat().filter((p) => p.versions.length > 0);
}

/** As libcni sorts and filters them. */
function shadowing(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => /\.(conf|conflist|json)$/.test(name) && name < CONFLIST_FILE)
    .sort();
}

/** `loopback` of somebody else stays; one that is an earlier shim of ours is renewed. */
function mayWriteLoopback(directory: string): boolean {
  const loopback = readIfThere(join(directory, "loopback"));
  return loopback === undefined || readIfThere(join(directory, "twill"))?.equals(loopback) === true;
}

/** Installs or renews. Every file is replaced in one step, and a crash in between leaves a working older installation. */
export async function installCni(options: InstallOptions): Promise<Installed> {
  const { binDirectory, confDirectory, runDirectory } = options;
  const shim = readFileSync(options.shim);
  mkdirSync(binDirectory, { recursive: true });
  mkdirSync(confDirectory, { recursive: true });
  const written: string[] = [];
  const put = (path: string, content: Uint8Array | string, mode: number) => {
    if (writeWhole(path, content, mode)) written.push(path);
  };
  const hasLoopback = mayWriteLoopback(binDirectory);
  const socketFile = join(binDirectory, "twill.socket");
  if (runDirectory === DEFAULT_RUN_DIRECTORY) rmSync(socketFile, { force: true });
  else put(socketFile, `${join(runDirectory, "agent.sock")}\n`, 0o644);
  if (hasLoopback) put(join(binDirectory, "loopback"), shim, 0o755);
  put(join(binDirectory, "twill"), shim, 0o755);
  const conflist = join(confDirectory, CONFLIST_FILE);
  const chained = await findChained(options, conflist);
  put(conflist, formatConflist({ name: options.networkName, chained }), 0o644);
  return { conflist, chained: chained.map((p) => p.type), written, shadowedBy: shadowing(confDirectory) };
}

/** The files of {@link installCni} that are there, in the order in which they are to be removed: the configuration first. */
export function installedFiles(options: Pick<InstallOptions, "binDirectory" | "confDirectory">): readonly string[] {
  const { binDirectory, confDirectory } = options;
  const isOurs = readIfThere(join(binDirectory, "twill")) !== undefined && mayWriteLoopback(binDirectory);
  const files = [
    join(confDirectory, CONFLIST_FILE),
    ...(isOurs ? [join(binDirectory, "loopback")] : []),
    join(binDirectory, "twill"),
    join(binDirectory, "twill.socket"),
  ];
  return files.filter((path) => readIfThere(path) !== undefined);
}

/** Removes what {@link installCni} puts. @returns the files that were there */
export function uninstallCni(options: Pick<InstallOptions, "binDirectory" | "confDirectory">): readonly string[] {
  const present = installedFiles(options);
  for (const path of present) rmSync(path, { force: true });
  return present;
}
