/** Whether a schema in a CustomResourceDefinition is one: a server that validates by it must be able to read it. */

import { invalidValue, type StatusCause } from "./api-error.ts";
import { isFields } from "./fields.ts";

const MAX_DEPTH = 60;

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
const NUMBERS = [
  "minimum",
  "maximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
];
const FLAGS = [
  "nullable",
  "uniqueItems",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-int-or-string",
  "x-kubernetes-embedded-resource",
];
const TEXTS = ["format", "pattern", "description", "x-kubernetes-list-type", "x-kubernetes-map-type"];
const TEXT_LISTS = ["required", "x-kubernetes-list-map-keys"];
const SCHEMA_LISTS = ["allOf", "anyOf", "oneOf"];

/** Everything that is wrong with a schema and those below it. */
export function schemaFaults(schema: unknown, at: string, depth = 0): StatusCause[] {
  if (depth > MAX_DEPTH) return [invalidValue(at, "…", `must not be nested more than ${MAX_DEPTH} deep`)];
  if (!isFields(schema)) return [invalidValue(at, schema, "must be an object")];
  const out: StatusCause[] = [];
  const wrong = (key: string, wanted: string) =>
    void out.push(invalidValue(`${at}.${key}`, schema[key], `must be ${wanted}`));
  const check = (keys: readonly string[], is: (v: unknown) => boolean, wanted: string) => {
    for (const key of keys) if (schema[key] !== undefined && !is(schema[key])) wrong(key, wanted);
  };
  const isTextList = (v: unknown) => Array.isArray(v) && v.every((x) => typeof x === "string");
  check(["type"], (v) => TYPES.includes(v as string), `one of ${TYPES.join(", ")}`);
  check(NUMBERS, (v) => typeof v === "number", "a number");
  check(FLAGS, (v) => typeof v === "boolean", "true or false");
  check(TEXTS, (v) => typeof v === "string", "a string");
  check(TEXT_LISTS, isTextList, "a list of strings");
  check(["enum"], Array.isArray, "a list");
  check(["properties"], isFields, "an object");
  check(SCHEMA_LISTS, Array.isArray, "a list");
  const below = (value: unknown, path: string) => void out.push(...schemaFaults(value, `${at}.${path}`, depth + 1));
  for (const [key, value] of Object.entries(isFields(schema["properties"]) ? schema["properties"] : {}))
    below(value, `properties[${key}]`);
  for (const key of ["items", "not"]) if (schema[key] !== undefined) below(schema[key], key);
  const more = schema["additionalProperties"];
  if (more !== undefined && typeof more !== "boolean") below(more, "additionalProperties");
  for (const key of SCHEMA_LISTS)
    if (Array.isArray(schema[key])) for (const [i, s] of schema[key].entries()) below(s, `${key}[${i}]`);
  return out;
}
