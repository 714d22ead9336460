/** JSON patch (RFC 6902). */

import { ApiError, badRequest } from "./api-error.ts";
import { isFields, jsonEqual, setOwn } from "./fields.ts";

/** Operations allowed in one patch. */
const MAX_OPERATIONS = 10_000;

/** RFC 6901: `~1` is `/`, `~0` is `~`. */
function pointer(path: unknown): string[] {
  if (typeof path !== "string" || (path !== "" && !path.startsWith("/")))
    throw badRequest(`error decoding patch: ${JSON.stringify(path)} is not a JSON pointer`);
  return path === ""
    ? []
    : path
        .slice(1)
        .split("/")
        .map((s) => s.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function unprocessable(message: string): ApiError {
  return new ApiError(422, "Invalid", `the server rejected our request due to an error in our request: ${message}`, {});
}

function index(list: readonly unknown[], step: string, mayAppend: boolean): number {
  if (mayAppend && step === "-") return list.length;
  const i = /^(0|[1-9]\d*)$/.test(step) ? Number(step) : -1;
  if (i < 0 || i > list.length || (i === list.length && !mayAppend)) throw unprocessable(`no list index "${step}"`);
  return i;
}

function read(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const step of path) {
    if (Array.isArray(value)) value = value[index(value, step, false)];
    else if (isFields(value) && Object.hasOwn(value, step)) value = value[step];
    else throw unprocessable(`no member "${step}"`);
  }
  return value;
}

type Edit = (parent: unknown, step: string) => unknown;

/** Copies along the path and lets `edit` make the new parent of the last step. */
function editAt(root: unknown, path: readonly string[], edit: Edit): unknown {
  const [step, ...rest] = path;
  if (step === undefined) throw unprocessable("the whole document cannot be the target here");
  if (rest.length === 0) return edit(root, step);
  const child = editAt(read(root, [step]), rest, edit);
  if (Array.isArray(root)) return root.map((v, i) => (i === Number(step) ? child : v));
  const out = { ...(root as object) };
  setOwn(out, step, child);
  return out;
}

function add(value: unknown): Edit {
  return (parent, step) => {
    if (Array.isArray(parent)) return parent.toSpliced(index(parent, step, true), 0, value);
    if (!isFields(parent)) throw unprocessable(`"${step}" has no parent`);
    const out = { ...parent };
    setOwn(out, step, value);
    return out;
  };
}

const remove: Edit = (parent, step) => {
  if (Array.isArray(parent)) return parent.toSpliced(index(parent, step, false), 1);
  if (!isFields(parent) || !Object.hasOwn(parent, step)) throw unprocessable(`no member "${step}" to remove`);
  const { [step]: _, ...rest } = parent;
  return rest;
};

function replace(value: unknown): Edit {
  return (parent, step) => {
    if (Array.isArray(parent)) return parent.with(index(parent, step, false), value);
    return add(value)(remove(parent, step), step);
  };
}

function applyOne(root: unknown, operation: unknown): unknown {
  if (!isFields(operation)) throw badRequest("error decoding patch: an operation is not an object");
  const path = pointer(operation["path"]);
  const value = operation["value"];
  const put = (v: unknown) => (path.length === 0 ? v : editAt(root, path, add(v)));
  switch (operation["op"]) {
    case "add":
      return put(value);
    case "remove":
      return editAt(root, path, remove);
    case "replace":
      return path.length === 0 ? value : editAt(root, path, replace(value));
    case "copy":
      return put(read(root, pointer(operation["from"])));
    case "move": {
      const from = pointer(operation["from"]);
      const moved = read(root, from);
      return editAt(editAt(root, from, remove), path, add(moved));
    }
    case "test":
      if (!jsonEqual(read(root, path), value)) throw unprocessable(`testing value ${String(operation["path"])} failed`);
      return root;
    default:
      throw badRequest(`error decoding patch: unknown operation ${JSON.stringify(operation["op"])}`);
  }
}

/** The target with all operations applied, or none: the target is not written to. @throws ApiError 400, 422 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest("error decoding patch: a list of operations is wanted");
  if (patch.length > MAX_OPERATIONS) throw badRequest(`error decoding patch: more than ${MAX_OPERATIONS} operations`);
  return patch.reduce<unknown>(applyOne, target);
}
