/** The tables of a cluster source: how objects of each are read, keyed and compared. */

import { isDeepStrictEqual } from "node:util";
import type { Issue } from "../base/issue.ts";
import type { Result } from "../base/result.ts";
import type { Interner } from "../model/intern.ts";
import { parseNamespace } from "../model/namespace.ts";
import { parseNode } from "../model/node.ts";
import { parsePod, podKey } from "../model/pod.ts";
import type { ClusterRows, ClusterTable } from "./source.ts";

/** One row of any table. */
export type AnyRow = ClusterRows[ClusterTable];

/** How one table is filled. */
export interface TableKind {
  readonly table: ClusterTable;
  readonly apiVersion: string;
  readonly kind: string;
  /** Path of the collection over all namespaces. */
  readonly path: string;
  parse(value: unknown, interner: Interner): Result<AnyRow, readonly Issue[]>;
  keyOf(row: AnyRow): string;
}

function kindOf<T extends ClusterTable>(
  table: T,
  kind: string,
  parse: (value: unknown, interner: Interner) => Result<ClusterRows[T], readonly Issue[]>,
  keyOf: (row: ClusterRows[T]) => string,
): TableKind {
  // The table's name says which rows it has; the casts stay in here.
  return { table, apiVersion: "v1", kind, path: `/api/v1/${table}`, parse, keyOf: keyOf as (row: AnyRow) => string };
}

/** Every table, in the order in which they should be filled. */
export const TABLE_KINDS: readonly TableKind[] = [
  kindOf("namespaces", "Namespace", parseNamespace, (n) => n.name),
  kindOf("nodes", "Node", parseNode, (n) => n.name),
  kindOf("pods", "Pod", parsePod, (p) => podKey(p.namespace, p.name)),
];

/** Key of an object that could not be read, as far as its name can be made out. */
export function keyOfRaw(kind: TableKind, value: unknown): string {
  const metadata = (value as { metadata?: { name?: unknown; namespace?: unknown } } | null)?.metadata;
  const name = typeof metadata?.name === "string" ? metadata.name : "";
  const namespace = typeof metadata?.namespace === "string" ? metadata.namespace : "default";
  return kind.table === "pods" ? podKey(namespace, name) : name;
}

/**
 * Whether two rows say the same. Most changes of nodes are heartbeats and most of pods are conditions: they must wake
 * nobody.
 */
export function isSameRow(a: AnyRow | undefined, b: AnyRow | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && isDeepStrictEqual(a, b));
}
