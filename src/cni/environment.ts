/** The environment of a call (specification, section 2, "Parameters"). */

import { err, ok, type Result } from "../base/result.ts";
import { CNI_CODE, type CniError, cniError } from "./error.ts";

/** Operations of the specification. */
export const CNI_COMMANDS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;

/** One of {@link CNI_COMMANDS}. */
export type CniCommand = (typeof CNI_COMMANDS)[number];

/** Variables by name, as the process got them. */
export type CniEnvironment = Readonly<Record<string, string>>;

/** Checked variables; those that the command does not need are empty. */
export interface CniParameters {
  readonly command: CniCommand;
  readonly containerId: string;
  readonly ifname: string;
  /** Path, or empty for a DEL after the namespace went. */
  readonly netns: string;
  /** `K=V;K=V`, not yet taken apart. */
  readonly args: string;
}

/** Linux gives an interface's name 16 bytes with its end (IFNAMSIZ). */
const IFNAME_MAX = 15;
const CONTAINER_ID_MAX = 1024;
const PATH_MAX = 4096;

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const c of text) {
    const point = c.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

/** Where settings of all devices and of those to come stand, below `/proc/sys/net`. */
const SETTINGS_NAMES = ["all", "default"];

/**
 * What is wrong with an interface's name, as the kernel sees it (`dev_valid_name`). With "%" it would be a pattern, and the
 * device would have another name than was asked for.
 */
export function ifnameProblem(name: string): string | undefined {
  if (name === "") return "is missing or empty";
  if (utf8Bytes(name) > IFNAME_MAX) return `"${name.slice(0, 64)}" is longer than ${IFNAME_MAX} bytes`;
  if (name === "." || name === ".." || SETTINGS_NAMES.includes(name) || /[/:%\s\0]/.test(name))
    return `"${name}" is no name of an interface`;
  // The kernel takes any byte; names that nobody can type or that terminals hide are refused here.
  if (!/^[!-~]+$/.test(name)) return `"${name}" has characters that are not printable ASCII`;
  return undefined;
}

function containerIdProblem(id: string): string | undefined {
  if (id === "") return "is missing or empty";
  if (id.length > CONTAINER_ID_MAX) return `is longer than ${CONTAINER_ID_MAX} characters`;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(id))
    return `"${id.slice(0, 64)}" is no identifier: letters, digits, "_", "." and "-" are allowed, the first a letter or digit`;
  return undefined;
}

function netnsProblem(path: string, isRequired: boolean): string | undefined {
  if (path === "") return isRequired ? "is missing or empty" : undefined;
  if (path.length > PATH_MAX || path.includes("\0")) return "is no path";
  return undefined;
}

/** Checks what the command needs; the refusal (code 4) names every variable that is wrong. */
export function readEnvironment(env: CniEnvironment): Result<CniParameters, CniError> {
  const get = (name: string) => (Object.hasOwn(env, name) ? (env[name] ?? "") : "");
  const command = CNI_COMMANDS.find((c) => c === get("CNI_COMMAND"));
  if (command === undefined) {
    const given = get("CNI_COMMAND") === "" ? "is missing or empty" : `"${get("CNI_COMMAND").slice(0, 64)}" is unknown`;
    return err(
      cniError(
        CNI_CODE.invalidEnvironment,
        `Environment variable CNI_COMMAND ${given}: ${CNI_COMMANDS.join(", ")} are known`,
      ),
    );
  }
  const parameters = {
    command,
    containerId: get("CNI_CONTAINERID"),
    ifname: get("CNI_IFNAME"),
    netns: get("CNI_NETNS"),
    args: get("CNI_ARGS"),
  };
  if (command === "GC" || command === "STATUS" || command === "VERSION") return ok(parameters);
  const problems = [
    ["CNI_CONTAINERID", containerIdProblem(parameters.containerId)],
    ["CNI_IFNAME", ifnameProblem(parameters.ifname)],
    ["CNI_NETNS", netnsProblem(parameters.netns, command !== "DEL")],
  ].flatMap(([name, problem]) => (problem === undefined ? [] : [`${name} ${problem}`]));
  if (problems.length === 0) return ok(parameters);
  return err(cniError(CNI_CODE.invalidEnvironment, `Environment variable ${problems.join("; ")}`));
}
