/** Which objects of the cluster configure a node, in which order, and what they may set. */

import type { Issue } from "../../base/issue.ts";
import type { ClusterConfiguration, NodeConfiguration, Settings } from "../../model/configuration.ts";
import { matchesSelector } from "../../model/match-labels.ts";
import type { Node } from "../../model/node.ts";
import { readIssues } from "./issues.ts";
import { keysAt } from "./keys.ts";
import { configSchema } from "./schema.ts";
import { whereOf } from "./scope.ts";
import { leaves } from "./tree.ts";

/** What one object sets. */
export interface Layer {
  /** Kind and name. */
  readonly subject: string;
  readonly kind: "cluster" | "node";
  readonly settings: Settings;
}

/** The objects, as the cluster has them. */
export interface ConfigObjects {
  readonly cluster: Iterable<ClusterConfiguration>;
  readonly nodes: Iterable<NodeConfiguration>;
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

/** Of a ClusterConfiguration. */
export function clusterLayer({ name, settings }: ClusterConfiguration): Layer {
  return { subject: `ClusterConfiguration ${name}`, kind: "cluster", settings };
}

/** Of a NodeConfiguration. */
export function nodeLayer({ name, settings }: NodeConfiguration): Layer {
  return { subject: `NodeConfiguration ${name}`, kind: "node", settings };
}

/** Whether the object is for the node. */
export function isForNode(c: NodeConfiguration, node: Pick<Node, "name" | "labels">): boolean {
  return c.nodes.has(node.name) || (c.selector !== undefined && matchesSelector(c.selector, node.labels));
}

/**
 * What applies to a node; a later one counts before an earlier one. First what is for all nodes, then what selects by
 * label, then what names the node; those of one sort by name.
 * @param labels undefined: not known, nothing selects the node by them
 */
export function layersFor(objects: ConfigObjects, name: string, labels: Node["labels"] | undefined): readonly Layer[] {
  const { named = [], others = [] } = Object.groupBy(objects.nodes, (c) => (c.nodes.has(name) ? "named" : "others"));
  const selected = labels === undefined ? [] : others.filter((c) => isForNode(c, { name, labels }));
  return [
    ...[...objects.cluster].map(clusterLayer),
    ...[...selected.toSorted(byName), ...named.toSorted(byName)].map(nodeLayer),
  ];
}

/** Layers with those of objects that cannot be read now: that of all nodes first, the others last. */
export function withKept(layers: readonly Layer[], kept: readonly Layer[]): readonly Layer[] {
  const more = kept.filter((k) => !layers.some((l) => l.subject === k.subject));
  return [...more.filter((l) => l.kind === "cluster"), ...layers, ...more.filter((l) => l.kind === "node")];
}

const TOO_HIGH = "belongs to one machine: it is read from the agent's file and command line only";
const TOO_LOW = "has to be the same on all nodes: a ClusterConfiguration can set it";

/** What is wrong with the settings, whatever else is set elsewhere. Paths are those of keys. */
export function settingsIssues({ kind, settings }: Pick<Layer, "kind" | "settings">): readonly Issue[] {
  const parsed = configSchema.safeParse(settings);
  const issues = parsed.success ? [] : readIssues(parsed.error, settings, (path) => keysAt(configSchema, path));
  const misplaced = leaves(settings).flatMap((path): Issue[] => {
    const where = whereOf(path);
    if (where === "file") return [{ path, message: `"${path}" ${TOO_HIGH}` }];
    return where === "cluster" && kind === "node" ? [{ path, message: `"${path}" ${TOO_LOW}` }] : [];
  });
  return [...issues, ...misplaced];
}
