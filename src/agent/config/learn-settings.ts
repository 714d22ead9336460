/**
 * The cluster's objects of configuration, asked once when an agent starts: some keys are only read then. Remembered below the
 * run directory, so that an agent that starts while the API is away has the same.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatIssues, type Issue } from "../../base/issue.ts";
import type { Result } from "../../base/result.ts";
import { VERSION } from "../../base/version.ts";
import { type Connection, createConnection } from "../../cluster/kube/connection.ts";
import { findConnectionConfig } from "../../cluster/kube/find-config.ts";
import { ClusterError } from "../../cluster/source.ts";
import { CLUSTER_CONFIGURATION, parseClusterConfiguration, parseNodeConfiguration } from "../../model/configuration.ts";
import { createInterner, type Interner, type Labels } from "../../model/intern.ts";
import { parseNode } from "../../model/node.ts";
import { writeWhole } from "../cni/whole-file.ts";
import { messageOf } from "../reconcile/failures.ts";
import type { AgentConfig } from "./config.ts";
import { type Layer, layersFor, withKept } from "./layers.ts";

/** What {@link learnSettings} found. */
export interface LearnedSettings {
  /** As the cluster has them now, or as they were remembered. */
  readonly layers: readonly Layer[];
  /** In effect last on this boot. */
  readonly before: readonly Layer[];
  /** Why the cluster could not be asked, or something of it could not be read. */
  readonly failure: string | undefined;
}

const MEMORY_FILE = "configuration.json";
const ASK_MS = 3_000;
const API = "/apis/twill.dev/v1alpha1";
const NOTHING: LearnedSettings = { layers: [], before: [], failure: undefined };

/** Keeps what is in effect for the next start. @throws Error when the file cannot be written */
export function rememberSettings(runDirectory: string, layers: readonly Layer[]): void {
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
  writeWhole(join(runDirectory, MEMORY_FILE), `${JSON.stringify(layers)}\n`, 0o600);
}

function remembered(runDirectory: string): readonly Layer[] {
  try {
    const layers: unknown = JSON.parse(readFileSync(join(runDirectory, MEMORY_FILE), "utf8"));
    return Array.isArray(layers) ? (layers as readonly Layer[]) : [];
  } catch {
    // Never asked on this boot: written whole, so it is not half there.
    return [];
  }
}

/** @returns undefined where there is none, or no such kind */
async function get(connection: Connection, path: string, signal: AbortSignal): Promise<unknown> {
  try {
    return await connection.json({ method: "GET", path, signal });
  } catch (cause) {
    if (cause instanceof ClusterError && cause.httpStatus === 404) return undefined;
    throw cause;
  }
}

type Parse<T> = (value: unknown, interner: Interner) => Result<T, readonly Issue[]>;

function nameOf(value: unknown): string {
  const { metadata } = value as { readonly metadata?: { readonly name?: unknown } };
  return typeof metadata?.name === "string" ? metadata.name : "";
}

async function ask(
  connection: Connection,
  nodeName: string,
  before: readonly Layer[],
  signal: AbortSignal,
): Promise<LearnedSettings> {
  const interner = createInterner();
  const failures: string[] = [];
  /** In place of what cannot be read, what it was last on this boot. */
  const kept: Layer[] = [];
  const read = <T>(kind: string, value: unknown, parse: Parse<T>): T[] => {
    if (value === undefined) return [];
    const parsed = parse(value, interner);
    if (parsed.ok) return [parsed.value];
    const subject = `${kind} ${nameOf(value)}`;
    failures.push(`${subject}: ${formatIssues(parsed.error)}`);
    kept.push(...before.filter((l) => l.subject === subject));
    return [];
  };
  const [one, list] = await Promise.all([
    get(connection, `${API}/clusterconfigurations/${CLUSTER_CONFIGURATION}`, signal),
    get(connection, `${API}/nodeconfigurations`, signal),
  ]);
  const items = (list as { readonly items?: readonly unknown[] } | undefined)?.items ?? [];
  const nodes = items.flatMap((item) => read("NodeConfiguration", item, parseNodeConfiguration));
  let labels: Labels | undefined;
  if (nodes.some((n) => n.selector !== undefined)) {
    const self = await get(connection, `/api/v1/nodes/${encodeURIComponent(nodeName)}`, signal);
    labels = read("Node", self, parseNode)[0]?.labels;
  }
  const cluster = read("ClusterConfiguration", one, parseClusterConfiguration);
  const layers = withKept(layersFor({ cluster, nodes }, nodeName, labels), kept);
  return { layers, before, failure: failures.length === 0 ? undefined : failures.join("; ") };
}

/** Asks the cluster of a configuration. Never throws. */
export async function learnSettings(
  config: Pick<AgentConfig, "cluster" | "kubeconfig" | "apiServer" | "tlsServerName" | "paths" | "nodeName">,
  env: Readonly<Record<string, string | undefined>>,
): Promise<LearnedSettings> {
  if (config.cluster.kind !== "kube") return NOTHING;
  const before = remembered(config.paths.run);
  try {
    const connection = createConnection(await findConnectionConfig(config, env), {
      userAgent: `twill/${VERSION}`,
    });
    try {
      return await ask(connection, config.nodeName, before, AbortSignal.timeout(ASK_MS));
    } finally {
      connection[Symbol.dispose]();
    }
  } catch (cause) {
    return { layers: before, before, failure: messageOf(cause) };
  }
}
