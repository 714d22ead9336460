/** What should stand on the cluster's objects of configuration: whether they are understood, and in effect where they should be. */

import type { ObjectCondition, ObjectReport } from "../../cluster/reports.ts";
import type { ClusterSnapshot, ClusterTable } from "../../cluster/source.ts";
import type { Node } from "../../model/node.ts";
import { acceptedOf, bounded, type Said } from "../../policy/object-status.ts";
import { clusterLayer, isForNode, type Layer, nodeLayer, settingsIssues } from "./layers.ts";
import { leaves } from "./tree.ts";
import { parseWaiting, WAITING_ANNOTATION, type Waiting } from "./waiting.ts";

/** Tables of such objects. */
export const CONFIG_TABLES: readonly ClusterTable[] = ["clusterConfigurations", "nodeConfigurations"];

type Tables = Pick<ClusterSnapshot["tables"], "clusterConfigurations" | "nodeConfigurations" | "nodes">;

const RESTART = "kubectl -n kube-system rollout restart daemonset/twill";
/** Nodes named in a message. */
const MAX_NAMES = 5;

const ready = (status: Said["status"], reason: string, message: string): Said => ({
  type: "Ready",
  status,
  reason,
  message,
});

function names(nodes: readonly Node[]): string {
  const shown = nodes.slice(0, MAX_NAMES).map((n) => n.name);
  return nodes.length > MAX_NAMES ? `${shown.join(", ")} and ${nodes.length - MAX_NAMES} more` : shown.join(", ");
}

/** @param concerns whether a key that waits on a node is of this object */
function readyOf(nodes: readonly Node[], concerns: (key: string, node: Node) => boolean): Said {
  if (nodes.length === 0) return ready("False", "NoNode", "It is for no node that there is");
  const waiting = nodes.map((node) => ({ node, says: parseWaiting(node.annotations.get(WAITING_ANNOTATION)) }));
  const refusing = waiting.filter((w) => w.says.refused !== "");
  if (refusing.length > 0)
    return ready(
      "False",
      "Refused",
      bounded([
        `${refusing.length} of ${nodes.length} nodes cannot use it with what they have besides: ${names(refusing.map((w) => w.node))}`,
        refusing[0]?.says.refused ?? "",
      ]),
    );
  const keysOf = (w: { readonly node: Node; readonly says: Waiting }) =>
    w.says.restart.filter((key) => concerns(key, w.node));
  const late = waiting.filter((w) => keysOf(w).length > 0);
  if (late.length === 0) return ready("True", "InEffect", `All of it is in effect on ${nodes.length} nodes`);
  const keys = new Set(late.flatMap(keysOf));
  return ready(
    "False",
    "RestartNeeded",
    bounded([
      `${[...keys].sort().join(", ")}: read when an agent starts, and ${late.length} of ${nodes.length} nodes have not: ${names(late.map((w) => w.node))}`,
      RESTART,
    ]),
  );
}

function layerAt(
  tables: Tables,
  { table, key }: ObjectReport,
): { readonly layer: Layer; readonly nodes: Node[] } | undefined {
  const all = [...tables.nodes];
  if (table === "clusterConfigurations") {
    const row = tables.clusterConfigurations.get(key);
    return row === undefined ? undefined : { layer: clusterLayer(row), nodes: all };
  }
  const row = tables.nodeConfigurations.get(key);
  return row === undefined ? undefined : { layer: nodeLayer(row), nodes: all.filter((n) => isForNode(row, n)) };
}

/** What no NodeConfiguration speaks of concerns the ClusterConfiguration, also where it has just stopped speaking of it. */
function concernOf({ nodeConfigurations }: Tables, { kind, settings }: Layer): (key: string, node: Node) => boolean {
  if (kind === "node") {
    const own = new Set(leaves(settings));
    return (key) => own.has(key);
  }
  const others = [...nodeConfigurations].map((c) => ({ c, keys: new Set(leaves(c.settings)) }));
  return (key, node) => !others.some(({ c, keys }) => keys.has(key) && isForNode(c, node));
}

/** What should stand on an object of {@link CONFIG_TABLES}. */
export function configConditions(tables: Tables, report: ObjectReport): readonly ObjectCondition[] {
  const found = layerAt(tables, report);
  const issues =
    report.issues.length > 0
      ? report.issues
      : found === undefined
        ? []
        : settingsIssues(found.layer).map((i) => ({ ...i, path: `spec.${i.path}` }));
  const isRefused = issues.length > 0 || found === undefined;
  const said = [
    acceptedOf(issues),
    isRefused
      ? ready("False", "Invalid", "Nodes that know an earlier valid version go on with that")
      : readyOf(found.nodes, concernOf(tables, found.layer)),
  ];
  return said.map((s) => ({ ...s, observedGeneration: report.generation }));
}

/** What {@link configConditions} rests on: another list, item by item, whenever it may say something else of an object. */
export function restsOn({ clusterConfigurations, nodeConfigurations, nodes }: Tables): readonly unknown[] {
  const isAny = clusterConfigurations.size + nodeConfigurations.size > 0;
  return [
    clusterConfigurations,
    nodeConfigurations,
    ...(isAny ? [...nodes].flatMap((n) => [n.name, n.labels, n.annotations.get(WAITING_ANNOTATION)]) : []),
  ];
}
