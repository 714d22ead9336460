/**
 * Configuration as objects of the cluster (`twill.dev/v1alpha1`): for all nodes, and for some.
 *
 * What they set is not read here: the settings are the keys of the agent's configuration, and its schema
 * (`src/agent/config/schema.ts`) is the one door for them wherever they stand.
 */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Interner } from "./intern.ts";
import { type LabelSelector, readLabelSelector } from "./policy/label-selector.ts";
import { onlyFields, quoted } from "./policy/strict.ts";
import { type Reader, readObject } from "./read.ts";

/** Keys of the configuration with their values, as they stand in the object. */
export type Settings = Readonly<Record<string, unknown>>;

/** Settings of all nodes. */
export interface ClusterConfiguration {
  /** Always {@link CLUSTER_CONFIGURATION}. */
  readonly name: string;
  readonly settings: Settings;
}

/** Settings of some nodes. */
export interface NodeConfiguration {
  readonly name: string;
  /** Names of nodes. */
  readonly nodes: ReadonlySet<string>;
  /** Nodes with these labels as well; undefined: none. */
  readonly selector: LabelSelector | undefined;
  readonly settings: Settings;
}

/** The only name that a ClusterConfiguration may have: two that contradict each other cannot be. */
export const CLUSTER_CONFIGURATION = "default";

/** Most bytes of one object's settings as JSON. */
const MAX_SETTINGS_BYTES = 65_536;
const MAX_NODES = 5_000;

function readSettings(value: unknown, at: Reader, path: string): Settings {
  const bytes = JSON.stringify(value)?.length ?? 0;
  if (bytes > MAX_SETTINGS_BYTES)
    at.issue(path, `${bytes} bytes of settings: at most ${MAX_SETTINGS_BYTES} are allowed`);
  return value as Settings;
}

function isObject(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readRoot(value: unknown, issues: Issue[]): { readonly root: Reader; readonly name: string } {
  const root = readObject(value, issues);
  if (!root.has("metadata")) root.issue("metadata", "A value is required");
  const name = root.object("metadata")?.requiredString("name") ?? "";
  return { root, name };
}

/** Reads a ClusterConfiguration. */
export function parseClusterConfiguration(
  value: unknown,
  interner: Interner,
): Result<ClusterConfiguration, readonly Issue[]> {
  const issues: Issue[] = [];
  const { root, name } = readRoot(value, issues);
  if (name !== "" && name !== CLUSTER_CONFIGURATION)
    root
      .object("metadata")
      ?.issue("name", `${quoted(name)} has no effect: the one that counts is called "${CLUSTER_CONFIGURATION}"`);
  const spec = root.value("spec") ?? {};
  if (!isObject(spec)) root.issue("spec", `${quoted(spec)} is not an object`);
  const settings = isObject(spec) ? readSettings(spec, root, "spec") : {};
  return issues.length > 0 ? err(issues) : ok(Object.freeze({ name: interner.string(name), settings }));
}

/** Reads a NodeConfiguration. */
export function parseNodeConfiguration(
  value: unknown,
  interner: Interner,
): Result<NodeConfiguration, readonly Issue[]> {
  const issues: Issue[] = [];
  const { root, name } = readRoot(value, issues);
  if (!root.has("spec")) root.issue("spec", "A value is required");
  const spec = root.object("spec");
  if (spec === undefined) return err(issues);
  onlyFields(spec, "nodes", "nodeSelector", "config");
  const nodes = spec.strings("nodes");
  if (nodes.length > MAX_NODES) spec.issue("nodes", `${nodes.length} names: at most ${MAX_NODES} are allowed`);
  const selector = readLabelSelector(spec, "nodeSelector", interner);
  if (nodes.length === 0 && selector === undefined)
    spec.complain("Names of nodes or a nodeSelector are required: a ClusterConfiguration is for all of them");
  const config = spec.value("config");
  if (!isObject(config)) spec.issue("config", config === undefined ? "A value is required" : "Expected an object");
  const settings = isObject(config) ? readSettings(config, spec, "config") : {};
  if (issues.length > 0) return err(issues);
  return ok(Object.freeze({ name: interner.string(name), nodes: new Set(nodes), selector, settings }));
}
