/** Tables for `kubectl get` (`meta.k8s.io/v1` Table): columns of each kind, rows made from objects. */

import { type Fields, isFields } from "./fields.ts";
import { jsonPathText } from "./json-path.ts";
import type { PrinterColumn, ResourceType } from "./resources.ts";
import { age, type Columns } from "./table-cells.ts";
import { CLUSTER_COLUMNS } from "./table-cluster.ts";
import { NODE_COLUMNS } from "./table-node.ts";
import { POD_COLUMNS } from "./table-pod.ts";
import { WORKLOAD_COLUMNS } from "./table-workload.ts";
import type { KubeObject } from "./types.ts";

/** What each row carries of its object. */
export type IncludeObject = "None" | "Metadata" | "Object";

const BUILTIN: Readonly<Record<string, Columns>> = {
  "/pods": POD_COLUMNS,
  "/nodes": NODE_COLUMNS,
  ...CLUSTER_COLUMNS,
  ...WORKLOAD_COLUMNS,
};

const PLAIN: Columns = [
  { name: "Name", type: "string", format: "name", cell: (o) => o.metadata.name },
  { name: "Age", type: "string", cell: age },
];

function customCell(column: PrinterColumn, object: KubeObject): unknown {
  const text = jsonPathText(object, column.jsonPath);
  if (text === undefined) return column.type === "string" || column.type === "date" ? "" : null;
  if (column.type === "date") return age({ metadata: { creationTimestamp: text } } as KubeObject);
  if (column.type === "integer" || column.type === "number") return Number.isNaN(Number(text)) ? null : Number(text);
  return column.type === "boolean" ? text === "true" : text;
}

function columnsOf(r: ResourceType): Columns {
  if (r.custom === undefined) return BUILTIN[r.storage] ?? PLAIN;
  const own = r.custom.columns.map((c) => ({
    name: c.name,
    type: c.type,
    format: c.format ?? "",
    priority: c.priority ?? 0,
    description: c.description ?? "",
    cell: (o: KubeObject) => customCell(c, o),
  }));
  const name = PLAIN.slice(0, 1);
  return [...name, ...own];
}

function rowObject(object: KubeObject, include: IncludeObject): Fields | null {
  if (include === "None") return null;
  if (include === "Object") return object;
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

/** A table of objects of one kind. */
export function tableOf(
  r: ResourceType,
  objects: readonly KubeObject[],
  include: IncludeObject,
  metadata: Fields = {},
): Fields {
  const columns = columnsOf(r);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: columns.map((c) => ({
      name: c.name,
      type: c.type,
      format: c.format ?? "",
      description: c.description ?? "",
      priority: c.priority ?? 0,
    })),
    rows: objects.map((o) => ({ cells: columns.map((c) => safeCell(c.cell, o)), object: rowObject(o, include) })),
  };
}

/** Objects may have any shape below `spec` and `status`: a cell that cannot be made must not cost the table. */
function safeCell(cell: (o: KubeObject) => unknown, object: KubeObject): unknown {
  try {
    const value = cell(object);
    return isFields(value) || Array.isArray(value) ? JSON.stringify(value) : (value ?? null);
  } catch {
    return "<invalid>";
  }
}
