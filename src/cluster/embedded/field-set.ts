/**
 * Sets of field paths, as server-side apply records who owns what (`FieldsV1`).
 *
 * A path is a list of steps `f:NAME`, `k:{"key":"value"}` or `v:VALUE`, joined by a character that JSON text never holds
 * unescaped. What is owned are leaves, and items of merged lists themselves.
 */

import { type Fields, isFields, setOwn } from "./fields.ts";
import type { MergeSchema } from "./merge-schema.ts";

/** Paths, each joined by {@link SEPARATOR}. */
export type FieldSet = ReadonlySet<string>;

/** Between the steps of a path. */
export const SEPARATOR = "\u0001";

/** Members of metadata that the server owns, and the names, which nobody does. */
const UNOWNED_METADATA = new Set([
  "name",
  "namespace",
  "generateName",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
]);

/** Identity of an item of a list that merges by keys; undefined when a key is missing. */
export function itemStep(
  item: unknown,
  keys: readonly { readonly name: string; readonly otherwise?: string }[],
): string | undefined {
  if (!isFields(item)) return undefined;
  const id: Record<string, unknown> = {};
  for (const { name, otherwise } of keys) {
    const value = item[name] ?? otherwise;
    if (value === undefined) return undefined;
    id[name] = value;
  }
  return `k:${JSON.stringify(id)}`;
}

/** Visits every leaf and every item of merged lists below a value. */
function walkFields(
  value: unknown,
  schema: MergeSchema,
  visit: (path: string, value: unknown, isLeaf: boolean) => void,
  path = "",
): void {
  const join = (step: string) => (path === "" ? step : `${path}${SEPARATOR}${step}`);
  if (Array.isArray(value) && schema.list !== undefined && value.length > 0) {
    for (const item of value) {
      if (schema.list.kind === "set") visit(join(`v:${JSON.stringify(item)}`), item, true);
      else {
        const step = itemStep(item, schema.list.keys);
        if (step === undefined) continue;
        visit(join(step), item, false);
        walkFields(item, schema.list.item ?? {}, visit, join(step));
      }
    }
    return;
  }
  if (!isFields(value) || schema.isAtomic || Object.keys(value).length === 0) {
    if (path !== "") visit(path, value, true);
    return;
  }
  for (const key of Object.keys(value)) {
    if (value[key] === undefined) continue;
    if (path === "" && (key === "apiVersion" || key === "kind")) continue;
    if (path === "f:metadata" && UNOWNED_METADATA.has(key)) continue;
    walkFields(value[key], schema.fields?.[key] ?? {}, visit, join(`f:${key}`));
  }
}

/** All paths of an object, with the leaf values as text (items of merged lists: `undefined`). */
export function leavesOf(object: unknown, schema: MergeSchema): Map<string, string | undefined> {
  const out = new Map<string, string | undefined>();
  walkFields(object, schema, (path, value, isLeaf) => void out.set(path, isLeaf ? JSON.stringify(value) : undefined));
  return out;
}

/** The `FieldsV1` form. */
export function toFieldsV1(set: FieldSet): Fields {
  const root: Record<string, unknown> = {};
  for (const path of [...set].sort()) {
    let at = root;
    for (const step of path.split(SEPARATOR)) {
      const next = Object.hasOwn(at, step) ? (at[step] as Record<string, unknown>) : {};
      setOwn(at, step, next);
      at = next;
    }
    // Marks a path that is owned itself beside what is below it; taken away again below where nothing is.
    at["."] = {};
  }
  tidy(root);
  return root;
}

function tidy(node: Record<string, unknown>): void {
  const steps = Object.keys(node);
  if (steps.length === 1 && steps[0] === ".") delete node["."];
  else for (const step of steps) if (step !== ".") tidy(node[step] as Record<string, unknown>);
}

/** Reads `FieldsV1`; what is not of that form is left out. */
export function fromFieldsV1(fields: unknown): Set<string> {
  const out = new Set<string>();
  const visit = (node: unknown, path: string): void => {
    if (!isFields(node)) return;
    const steps = Object.keys(node);
    if (path !== "" && (steps.length === 0 || steps.includes("."))) out.add(path);
    for (const step of steps)
      if (step !== ".") visit(node[step], path === "" ? canonical(step) : `${path}${SEPARATOR}${canonical(step)}`);
  };
  visit(fields, "");
  return out;
}

/** Keys of `k:` steps in the order in which they stand; clients may write them with other spacing. */
function canonical(step: string): string {
  if (!step.startsWith("k:") && !step.startsWith("v:")) return step;
  try {
    return step.slice(0, 2) + JSON.stringify(JSON.parse(step.slice(2)));
  } catch {
    return step;
  }
}
