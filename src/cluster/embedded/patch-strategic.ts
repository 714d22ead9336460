/**
 * Strategic merge patch: a merge patch that knows the keys of lists.
 *
 * Supported: lists merged by key or as sets, `$patch: delete | replace | merge`, `$deleteFromPrimitiveList/NAME`,
 * `$setElementOrder/NAME`, `$retainKeys`. See https://github.com/kubernetes/community
 * `contributors/devel/sig-api-machinery/strategic-merge-patch.md`.
 */

import { badRequest } from "./api-error.ts";
import { type Fields, isFields, jsonEqual, setOwn } from "./fields.ts";
import type { MergeSchema } from "./merge-schema.ts";

const DELETE_PREFIX = "$deleteFromPrimitiveList/";
const ORDER_PREFIX = "$setElementOrder/";

function directives(patch: Fields): { order: Map<string, unknown[]>; drop: Map<string, unknown[]> } {
  const order = new Map<string, unknown[]>();
  const drop = new Map<string, unknown[]>();
  for (const [key, value] of Object.entries(patch)) {
    if (!Array.isArray(value)) continue;
    if (key.startsWith(ORDER_PREFIX)) order.set(key.slice(ORDER_PREFIX.length), value);
    else if (key.startsWith(DELETE_PREFIX)) drop.set(key.slice(DELETE_PREFIX.length), value);
  }
  return { order, drop };
}

function mergeSet(current: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const out = [...current];
  for (const v of patch) if (!out.some((o) => jsonEqual(o, v))) out.push(v);
  return out;
}

function mergeByKey(current: readonly unknown[], patch: readonly unknown[], key: string, item: MergeSchema): unknown[] {
  if (patch.some((p) => isFields(p) && p["$patch"] === "replace"))
    return patch.filter((p) => !(isFields(p) && p["$patch"] === "replace"));
  let out = [...current];
  for (const p of patch) {
    if (!isFields(p)) throw badRequest("unable to apply patch: an item of a merged list is not an object");
    const id = p[key];
    if (id === undefined)
      throw badRequest(`unable to apply patch: map: ${JSON.stringify(p)} does not contain declared merge key: ${key}`);
    const at = out.findIndex((o) => isFields(o) && o[key] === id);
    if (p["$patch"] === "delete") out = out.filter((_, i) => i !== at);
    else if (at < 0) out.push(strategicMerge(undefined, p, item));
    else out[at] = strategicMerge(out[at], p, item);
  }
  return out;
}

/** Items that the order names come in its order, others keep their place behind the one that they follow. */
function reorder(list: readonly unknown[], order: readonly unknown[], key: string | undefined): unknown[] {
  const idOf = (v: unknown) => JSON.stringify(key !== undefined && isFields(v) ? v[key] : v);
  const rank = new Map(order.map((o, i) => [idOf(o), i]));
  const named = list
    .filter((v) => rank.has(idOf(v)))
    .sort((a, b) => (rank.get(idOf(a)) ?? 0) - (rank.get(idOf(b)) ?? 0));
  let next = 0;
  return list.map((v) => (rank.has(idOf(v)) ? named[next++] : v));
}

function mergeList(current: unknown, patch: readonly unknown[], schema: MergeSchema | undefined): unknown[] {
  const old = Array.isArray(current) ? current : [];
  if (schema?.list?.kind === "set") return mergeSet(old, patch);
  if (schema?.list?.kind === "map") return mergeByKey(old, patch, schema.list.patchKey, schema.list.item ?? {});
  return [...patch];
}

/** The target with the patch applied; neither is written to. @throws ApiError 400 for a patch that cannot be applied */
export function strategicMerge(target: unknown, patch: unknown, schema: MergeSchema): unknown {
  if (!isFields(patch)) return patch;
  if (patch["$patch"] === "delete") return {};
  const isReplacing = patch["$patch"] === "replace";
  const out: Record<string, unknown> = isFields(target) && !isReplacing ? { ...target } : {};
  const { order, drop } = directives(patch);
  const retained = patch["$retainKeys"];
  if (Array.isArray(retained)) for (const key of Object.keys(out)) if (!retained.includes(key)) delete out[key];
  for (const [name, values] of drop) {
    const list = out[name];
    if (Array.isArray(list)) out[name] = list.filter((v) => !values.some((d) => jsonEqual(d, v)));
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith("$")) continue;
    const value = patch[key];
    const at = schema.fields?.[key];
    const current = Object.hasOwn(out, key) ? out[key] : undefined;
    if (value === null) delete out[key];
    else if (Array.isArray(value)) setOwn(out, key, mergeList(current, value, at));
    else setOwn(out, key, strategicMerge(current, value, at ?? {}));
  }
  for (const [name, wanted] of order) {
    const list = out[name];
    const how = schema.fields?.[name]?.list;
    if (Array.isArray(list)) out[name] = reorder(list, wanted, how?.kind === "map" ? how.patchKey : undefined);
  }
  return out;
}
