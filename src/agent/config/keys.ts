/** The schema as a tree of keys: for "did you mean" and for the documentation. */

import type * as z from "zod";

/** One key of the configuration. */
export interface ConfigKey {
  /** `a.b.c`. */
  readonly path: string;
  readonly description: string;
  /** Value when not given, as JSON; undefined: none. */
  readonly defaultJson: string | undefined;
}

interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly defaultValue?: unknown;
}

function definition(schema: z.ZodType): Definition {
  return schema.def as unknown as Definition;
}

/** The object inside of defaults and optionals; undefined: the schema is no object. */
function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  const d = definition(schema);
  if (d.type === "object") return d.shape;
  const inner = d.innerType;
  return inner === undefined ? undefined : shapeOf(inner);
}

/** Keys of the object at a path; empty where there is none. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let shape = shapeOf(schema);
  for (const key of path) {
    const next = shape?.[String(key)];
    shape = next === undefined ? undefined : shapeOf(next);
  }
  return Object.keys(shape ?? {});
}

function defaultOf(schema: z.ZodType): unknown {
  const d = definition(schema);
  if (d.type === "default" || d.type === "prefault") return d.defaultValue;
  return d.innerType === undefined ? undefined : defaultOf(d.innerType);
}

function descriptionOf(schema: z.ZodType): string {
  const inner = definition(schema).innerType;
  return schema.description ?? (inner === undefined ? "" : descriptionOf(inner));
}

/** Every key that holds a value, in the order of the schema. */
export function configKeys(schema: z.ZodType, prefix = ""): readonly ConfigKey[] {
  return Object.entries(shapeOf(schema) ?? {}).flatMap(([key, value]) => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    if (shapeOf(value) !== undefined) return configKeys(value, path);
    const d = defaultOf(value);
    return [{ path, description: descriptionOf(value), defaultJson: d === undefined ? undefined : JSON.stringify(d) }];
  });
}
