/**
 * Server-side apply: an applied configuration is merged into the live object, fields that the manager applied before and
 * no longer names go (unless others own them too), and a field that somebody else owns with another value is a conflict.
 *
 * Subset: ownership of maps and structs as such is not tracked, only of leaves and list items; versions of one kind
 * share one set of fields.
 */

import { ApiError, type StatusCause } from "./api-error.ts";
import { itemStep, leavesOf, SEPARATOR } from "./field-set.ts";
import { isFields, jsonEqual, setOwn, timestamp } from "./fields.ts";
import { isSame, type Manager, readManagers, type Writer, withManagers } from "./managed-fields.ts";
import type { MergeSchema } from "./merge-schema.ts";
import type { KubeObject } from "./types.ts";

function mergeList(live: readonly unknown[], applied: readonly unknown[], schema: MergeSchema): unknown[] {
  const list = schema.list;
  if (list === undefined) return [...applied];
  const out = [...live];
  for (const item of applied) {
    if (list.kind === "set") {
      if (!out.some((o) => jsonEqual(o, item))) out.push(item);
      continue;
    }
    const step = itemStep(item, list.keys);
    const at = out.findIndex((o) => step !== undefined && itemStep(o, list.keys) === step);
    if (at < 0) out.push(item);
    else out[at] = merge(out[at], item, list.item ?? {});
  }
  return out;
}

function merge(live: unknown, applied: unknown, schema: MergeSchema): unknown {
  if (Array.isArray(applied)) return Array.isArray(live) ? mergeList(live, applied, schema) : applied;
  if (!isFields(applied) || !isFields(live) || schema.isAtomic) return applied;
  const out: Record<string, unknown> = { ...live };
  for (const key of Object.keys(applied)) {
    const current = Object.hasOwn(out, key) ? out[key] : undefined;
    setOwn(out, key, merge(current, applied[key], schema.fields?.[key] ?? {}));
  }
  return out;
}

/** The value without one path; containers that become empty by it go too. */
function removePath(value: unknown, steps: readonly string[], schema: MergeSchema): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return undefined;
  if (Array.isArray(value)) {
    const list = schema.list;
    const out = value.flatMap((item) => {
      const id = list?.kind === "map" ? itemStep(item, list.keys) : `v:${JSON.stringify(item)}`;
      if (id !== step) return [item];
      const left = removePath(item, rest, (list?.kind === "map" ? list.item : undefined) ?? {});
      return left === undefined ? [] : [left];
    });
    return out.length === 0 ? undefined : out;
  }
  const key = step.slice(2);
  if (!isFields(value) || !step.startsWith("f:") || !Object.hasOwn(value, key)) return value;
  const left = removePath(value[key], rest, schema.fields?.[key] ?? {});
  const out: Record<string, unknown> = { ...value };
  if (left === undefined) delete out[key];
  else setOwn(out, key, left);
  return left === undefined && Object.keys(out).length === 0 ? undefined : out;
}

/** `f:spec␁k:{"name":"a"}␁f:image` as `.spec[name="a"].image`. */
function readable(path: string): string {
  return path
    .split(SEPARATOR)
    .map((step) => {
      if (step.startsWith("f:")) return `.${step.slice(2)}`;
      if (step.startsWith("v:")) return `[=${step.slice(2)}]`;
      const id = JSON.parse(step.slice(2)) as Record<string, unknown>;
      return `[${Object.entries(id)
        .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
        .join(",")}]`;
    })
    .join("");
}

function conflictsOf(
  live: KubeObject,
  applied: ReadonlyMap<string, string | undefined>,
  schema: MergeSchema,
  others: readonly Manager[],
) {
  const now = leavesOf(live, schema);
  const out: { readonly path: string; readonly owner: Manager }[] = [];
  for (const [path, value] of applied) {
    if (value === undefined || (now.has(path) && now.get(path) === value)) continue;
    for (const owner of others) if (owner.fields.has(path)) out.push({ path, owner });
  }
  return out;
}

function conflictError(found: readonly { readonly path: string; readonly owner: Manager }[]): ApiError {
  const causes: StatusCause[] = found.map(({ path, owner }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${JSON.stringify(owner.name)}${owner.operation === "Update" ? ` using ${owner.apiVersion}` : ""}`,
    field: readable(path),
  }));
  const lines = causes.map((c) => `${c.message}: ${c.field}`);
  const message = `Apply failed with ${causes.length} conflict${causes.length === 1 ? "" : "s"}: ${lines.join(", ")}`;
  return new ApiError(409, "Conflict", message, { causes });
}

/**
 * The live object after an apply, with new `managedFields`; not validated yet.
 * @param config what the manager applies, as it was sent
 * @throws ApiError 409 with the conflicts, unless forced
 */
export function applyConfiguration(
  live: KubeObject,
  config: KubeObject,
  schema: MergeSchema,
  options: Writer & { readonly force: boolean },
): KubeObject {
  const managers = readManagers(live);
  const others = managers.filter((m) => !isSame(m, options, "Apply"));
  const previous = managers.find((m) => isSame(m, options, "Apply"));
  const applied = leavesOf(config, schema);
  const conflicts = conflictsOf(live, applied, schema, others);
  if (conflicts.length > 0 && !options.force) throw conflictError(conflicts);

  let merged = merge(live, config, schema) as KubeObject;
  // Shortest paths first: an item of a list before its members, since without its key it could not be found.
  const gone = [...(previous?.fields ?? [])].filter((p) => !applied.has(p)).sort((a, b) => a.length - b.length);
  for (const path of gone) {
    const isShared = others.some((m) => [...m.fields].some((f) => f === path || f.startsWith(path + SEPARATOR)));
    if (!isShared) merged = (removePath(merged, path.split(SEPARATOR), schema) ?? merged) as KubeObject;
  }
  const taken = new Set(conflicts.map((c) => c.path));
  const fields = new Set(applied.keys());
  // The names and the server's own metadata are the live object's, whatever the configuration says.
  const metadata = { ...merged.metadata, ...serverMetadata(live) };
  const next = { ...merged, metadata };
  const isSameSet = previous !== undefined && previous.fields.symmetricDifference(fields).size === 0;
  // Applying the same again is no change, so it has no time of its own.
  const isRepeated = isSameSet && jsonEqual(next, live);
  const own: Manager = {
    name: options.manager,
    operation: "Apply",
    subresource: options.subresource,
    apiVersion: config.apiVersion,
    time: isRepeated ? previous.time : timestamp(options.nowMs),
    fields,
  };
  const kept = managers.map((m) => {
    if (m === previous) return own;
    return taken.size === 0 ? m : { ...m, fields: m.fields.difference(taken) };
  });
  return withManagers(next, previous === undefined ? [own, ...kept] : kept);
}

function serverMetadata(live: KubeObject) {
  const { uid, resourceVersion, creationTimestamp } = live.metadata;
  return { uid, resourceVersion, creationTimestamp };
}
