/** `metadata.managedFields`: which manager owns which fields, kept up to date over updates and applies. */

import { type FieldSet, fromFieldsV1, leavesOf, toFieldsV1 } from "./field-set.ts";
import { isFields, timestamp, without } from "./fields.ts";
import type { MergeSchema } from "./merge-schema.ts";
import type { Json, KubeObject } from "./types.ts";

/** One manager's share. */
export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  /** `""` or `status`. */
  readonly subresource: string;
  readonly apiVersion: string;
  readonly time: string;
  readonly fields: FieldSet;
}

/** Entries kept on one object; of more, the oldest updaters are merged away. */
const MAX_MANAGERS = 30;

/** Reads the entries of an object; what cannot be read is left out. */
export function readManagers(object: KubeObject): Manager[] {
  const out: Manager[] = [];
  for (const entry of object.metadata.managedFields ?? []) {
    if (!isFields(entry)) continue;
    out.push({
      name: String(entry["manager"] ?? "unknown"),
      operation: entry["operation"] === "Apply" ? "Apply" : "Update",
      subresource: String(entry["subresource"] ?? ""),
      apiVersion: String(entry["apiVersion"] ?? object.apiVersion),
      time: String(entry["time"] ?? ""),
      fields: fromFieldsV1(entry["fieldsV1"]),
    });
  }
  return out;
}

/** The object with these entries. */
export function withManagers(object: KubeObject, managers: readonly Manager[]): KubeObject {
  const kept = managers.filter((m) => m.fields.size > 0);
  if (kept.length === 0) return { ...object, metadata: without(object.metadata, "managedFields") };
  const entries = kept.map((m) => ({
    manager: m.name,
    operation: m.operation,
    apiVersion: m.apiVersion,
    ...(m.time === "" ? {} : { time: m.time }),
    fieldsType: "FieldsV1",
    fieldsV1: toFieldsV1(m.fields) as Json,
    ...(m.subresource === "" ? {} : { subresource: m.subresource }),
  }));
  return { ...object, metadata: { ...object.metadata, managedFields: entries } };
}

/** Who writes, and how. */
export interface Writer {
  readonly manager: string;
  readonly subresource: string;
  readonly nowMs: number;
}

/** Whether an entry is the writer's own. */
export function isSame(m: Manager, w: Writer, operation: Manager["operation"]): boolean {
  return m.name === w.manager && m.operation === operation && m.subresource === w.subresource;
}

/**
 * Ownership after an update, patch or create: the writer owns all that it changed, others lose that, and what is gone
 * is owned by nobody.
 */
export function trackUpdate(
  before: KubeObject | undefined,
  after: KubeObject,
  schema: MergeSchema,
  w: Writer,
): KubeObject {
  const now = leavesOf(after, schema);
  const old = before === undefined ? new Map<string, string | undefined>() : leavesOf(before, schema);
  const changed = new Set<string>();
  for (const [path, value] of now) if (!old.has(path) || old.get(path) !== value) changed.add(path);
  const managers: Manager[] = [];
  let mine: Set<string> = new Set(changed);
  for (const m of readManagers(after)) {
    const isMine = isSame(m, w, "Update");
    const kept = new Set([...m.fields].filter((p) => now.has(p) && (isMine || !changed.has(p))));
    if (isMine) mine = mine.union(kept);
    else managers.push(kept.size === m.fields.size ? m : { ...m, fields: kept });
  }
  const time = timestamp(w.nowMs);
  const own = {
    name: w.manager,
    operation: "Update",
    subresource: w.subresource,
    apiVersion: after.apiVersion,
    time,
    fields: mine,
  } as const;
  return withManagers(after, capped([...managers, own]));
}

function capped(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter((m) => m.operation === "Update").length;
  let surplus = Math.max(0, Math.min(managers.length - MAX_MANAGERS, updaters - 1));
  return managers.filter((m) => !(m.operation === "Update" && surplus-- > 0));
}
