/**
 * Settings that the cluster gives where the configuration says nothing: what Flannel was told, or kubeadm. Asked once, when
 * an agent starts, and remembered below the run directory: an agent that starts while the API is away has the same.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../base/version.ts";
import { findConnectionConfig } from "../../cluster/kube/find-config.ts";
import { type FoundHints, findHints } from "../../cluster/kube/find-hints.ts";
import { writeWhole } from "../cni/whole-file.ts";
import { messageOf } from "../reconcile/failures.ts";
import type { AgentConfig } from "./config.ts";

/** What {@link learnNetwork} found. */
export interface Learned {
  /** Below the configuration: its keys with other values than the defaults. */
  readonly base: object;
  /** Where it stands; undefined: nowhere. */
  readonly from: string | undefined;
  /** What is wanted there and is not so, in words. */
  readonly differences: readonly string[];
  /** Why the cluster could not be asked: then it is what was remembered. */
  readonly failure: string | undefined;
}

const MEMORY_FILE = "network-hints.json";
/** An API that is away refuses at once; one that hangs must not hold the agent. */
const ASK_MS = 3_000;

const NOTHING: Learned = { base: {}, from: undefined, differences: [], failure: undefined };

function learned(found: FoundHints | undefined, failure: string | undefined): Learned {
  if (found === undefined) return { ...NOTHING, failure };
  const { differences, ...base } = found.hints;
  return { base, from: found.from, differences, failure };
}

function remembered(path: string): FoundHints | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as FoundHints;
  } catch {
    // Never asked on this boot: written whole, so it is not half there.
    return undefined;
  }
}

/** Asks the cluster of a configuration. Never throws: what the agent needs of the API it asks for later, and says so then. */
export async function learnNetwork(
  config: Pick<AgentConfig, "cluster" | "kubeconfig" | "apiServer" | "tlsServerName" | "paths">,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Learned> {
  if (config.cluster.kind !== "kube") return NOTHING;
  const memory = join(config.paths.run, MEMORY_FILE);
  try {
    const connection = await findConnectionConfig(config, env);
    const found = await findHints(connection, `twill/${VERSION}`, AbortSignal.timeout(ASK_MS));
    mkdirSync(config.paths.run, { recursive: true, mode: 0o700 });
    writeWhole(memory, `${JSON.stringify(found ?? null)}\n`, 0o600);
    return learned(found, undefined);
  } catch (cause) {
    return learned(remembered(memory) ?? undefined, messageOf(cause));
  }
}
