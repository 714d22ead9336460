/** Finds and reads the network configuration as a runtime does (CNI specification 1.1.0, sections 1 and 3). */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../base/result.ts";
import { CNI_VERSIONS, type CniVersion, isAtLeast } from "../../cni/version.ts";

/** One plugin's configuration, kept as it was written. */
export type PluginConfig = Readonly<Record<string, unknown>> & { readonly type: string };

/** A network: plugins to run one after another. */
export interface NetworkList {
  /** File that it was read from. */
  readonly path: string;
  readonly name: string;
  readonly version: CniVersion;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConfig[];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The newest version that both the configuration and this runtime speak. */
function chooseVersion(config: Record<string, unknown>): Result<CniVersion> {
  const listed = Array.isArray(config["cniVersions"]) ? config["cniVersions"] : [];
  const offered = [config["cniVersion"] ?? "0.2.0", ...listed].map(String);
  const common = CNI_VERSIONS.filter((v) => offered.includes(v));
  const newest = common.at(-1);
  return newest === undefined
    ? err(`cniVersion "${offered.join('", "')}" is unknown: "${CNI_VERSIONS.join('", "')}" are spoken`)
    : ok(newest);
}

/** Reads a `.conflist`, or a `.conf`/`.json` that holds a single plugin. */
export function parseNetworkList(path: string, text: string): Result<NetworkList> {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    return err(`"${path}" is not JSON: ${(cause as Error).message}`);
  }
  if (!isObject(config)) return err(`"${path}" must hold an object`);
  const name = config["name"];
  if (typeof name !== "string" || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name))
    return err(`"${path}" has no valid "name"`);
  const version = chooseVersion(config);
  if (!version.ok) return err(`"${path}": ${version.error}`);
  const plugins: unknown = path.endsWith(".conflist") ? config["plugins"] : [config];
  if (!Array.isArray(plugins) || plugins.length === 0) return err(`"${path}" has no "plugins"`);
  const bad = plugins.findIndex(
    (p) => !isObject(p) || typeof p["type"] !== "string" || !/^[a-zA-Z0-9._-]+$/.test(p["type"]),
  );
  if (bad >= 0) return err(`"${path}": plugins[${bad}] has no valid "type"`);
  const flag = (key: string) => config[key] === true || config[key] === "true";
  return ok({
    path,
    name,
    version: version.value,
    disableCheck: flag("disableCheck") || !isAtLeast(version.value, "0.4.0"),
    disableGC: flag("disableGC") || !isAtLeast(version.value, "1.1.0"),
    plugins: plugins as PluginConfig[],
  });
}

/** The first network of a directory by file name, as Kubernetes' runtimes choose it. An error says why there is none, under the name that the node gives the directory. */
export function findNetworkList(directory: string, shownAs = directory): Result<NetworkList> {
  let names: string[];
  try {
    names = readdirSync(directory)
      .filter((n) => /\.(conflist|conf|json)$/.test(n))
      .sort();
  } catch (cause) {
    return err(`Cannot read "${shownAs}": ${(cause as Error).message}`);
  }
  const name = names[0];
  if (name === undefined) return err(`No network configuration in ${shownAs} yet`);
  const path = join(shownAs, name);
  try {
    return parseNetworkList(path, readFileSync(join(directory, name), "utf8"));
  } catch (cause) {
    return err(`Cannot read "${path}": ${(cause as Error).message}`);
  }
}
