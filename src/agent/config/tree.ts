/** Trees of keys and values, as YAML and JSON have them: laid over each other, and one value looked at or set. */

/** An object of keys. */
export type Tree = Readonly<Record<string, unknown>>;

/** Whether a value has keys below it. */
function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy of the tree with one value set, or taken away by undefined; objects on the way are made. */
export function withValue(root: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const base = isTree(root) ? root : {};
  if (value === undefined && !Object.hasOwn(base, key)) return root;
  const { [key]: before, ...others } = base;
  const inner = withValue(before, rest, value);
  return inner === undefined ? others : { ...others, [key]: inner };
}

/** The value at a path; undefined where there is none. */
export function valueAt(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const key of path) {
    if (!isTree(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** What stands in `over` counts, key by key; lists are whole. Null says nothing. */
export function laidOver(base: unknown, over: unknown): unknown {
  if (!isTree(base) || !isTree(over)) return over ?? base;
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...keys].map((key) => [key, laidOver(base[key], over[key])]));
}

/** Paths of all values that are no objects, `a.b`. */
export function leaves(tree: unknown, prefix = ""): readonly string[] {
  if (!isTree(tree)) return prefix === "" || tree === undefined || tree === null ? [] : [prefix];
  return Object.entries(tree).flatMap(([key, value]) => leaves(value, prefix === "" ? key : `${prefix}.${key}`));
}
