/** The network configuration list that Twill installs (specification, section 1). */

import { CNI_VERSIONS, type CniVersion, isAtLeast } from "./version.ts";

/**
 * A plugin that an earlier Twill put behind itself. It stays in the list while it may have something to undo: runtimes make DEL of the
 * list that they have then, and it undoes nothing without what it is told at ADD.
 */
export interface ChainedPlugin {
  readonly type: "portmap";
  /** What its VERSION answered. */
  readonly versions: readonly CniVersion[];
}

/** What the list depends on. */
export interface ConflistOptions {
  /** Name of the network. */
  readonly name: string;
  readonly chained: readonly ChainedPlugin[];
}

/** Runtimes before libcni 1.2 read `cniVersion` only, and know 1.0.0 at most. */
const NEWEST_FOR_OLD_RUNTIMES: CniVersion = "1.0.0";

/** Older ones have no CHECK, and nobody who reads `cniVersions` needs them. */
const OLDEST_LISTED: CniVersion = "0.4.0";

function commonVersions(chained: readonly ChainedPlugin[]): readonly CniVersion[] {
  return CNI_VERSIONS.filter((v) => chained.every((p) => p.versions.includes(v)));
}

function chainedEntry(type: ChainedPlugin["type"]): object {
  switch (type) {
    case "portmap":
      // snat: connections to a hostPort from the node itself need it to come back.
      return { type, snat: true, capabilities: { portMappings: true } };
  }
}

/**
 * The list as text. `cniVersion` is for runtimes that know nothing newer than 1.0.0; `cniVersions` offers what all
 * plugins of the list speak.
 */
export function formatConflist(options: ConflistOptions): string {
  const versions = commonVersions(options.chained).filter((v) => isAtLeast(v, OLDEST_LISTED));
  const forOld = versions.findLast((v) => isAtLeast(NEWEST_FOR_OLD_RUNTIMES, v));
  const list = {
    cniVersion: forOld ?? NEWEST_FOR_OLD_RUNTIMES,
    cniVersions: versions.length > 0 ? versions : [NEWEST_FOR_OLD_RUNTIMES],
    name: options.name,
    plugins: [
      {
        type: "twill",
        capabilities: { mac: true, ips: true, ipRanges: true, bandwidth: true, portMappings: true },
      },
      ...options.chained.map((p) => chainedEntry(p.type)),
    ],
  };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}
