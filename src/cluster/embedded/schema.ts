/** Structural schemas of custom resources (OpenAPI v3 subset): validation, defaults and pruning. */

import { duplicateValue, invalidValue, required, type StatusCause, unsupportedValue } from "./api-error.ts";
import { type Fields, isFields, jsonEqual, setOwn } from "./fields.ts";

/** The part of a `JSONSchemaProps` that is looked at. Other members are kept but have no effect. */
export interface JsonSchema {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-embedded-resource"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
}

const MAX_CAUSES = 100;

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "number" ? (Number.isInteger(value) ? "integer" : "number") : typeof value;
}

function isType(value: unknown, schema: JsonSchema): boolean {
  if (schema["x-kubernetes-int-or-string"]) return typeof value === "string" || Number.isInteger(value);
  if (schema.type === undefined) return true;
  const t = typeOf(value);
  return t === schema.type || (schema.type === "number" && t === "integer");
}

function expression(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, "u");
  } catch {
    // RE2 has spellings that ECMAScript lacks: such a pattern is not judged rather than judged wrong.
    return undefined;
  }
}

const FORMATS: Readonly<Record<string, RegExp>> = {
  "date-time": /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/,
  date: /^\d{4}-\d\d-\d\d$/,
  ipv4: /^(\d{1,3}\.){3}\d{1,3}$/,
  ipv6: /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/,
  cidr: /^[0-9a-fA-F:.]+\/\d{1,3}$/,
  uuid: /^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/,
};

function checkString(v: string, s: JsonSchema, at: string, out: StatusCause[]): void {
  const length = [...v].length;
  if (s.minLength !== undefined && length < s.minLength)
    out.push(invalidValue(at, v, `${at} in body should be at least ${s.minLength} chars long`));
  if (s.maxLength !== undefined && length > s.maxLength)
    out.push(invalidValue(at, v, `${at} in body should be at most ${s.maxLength} chars long`));
  if (s.pattern !== undefined && expression(s.pattern)?.test(v) === false)
    out.push(invalidValue(at, v, `${at} in body should match '${s.pattern}'`));
  if (s.format !== undefined && FORMATS[s.format]?.test(v) === false)
    out.push(invalidValue(at, v, `${at} in body must be of type ${s.format}`));
}

function checkNumber(v: number, s: JsonSchema, at: string, out: StatusCause[]): void {
  const { minimum: min, maximum: max } = s;
  if (min !== undefined && (s.exclusiveMinimum ? v <= min : v < min))
    out.push(
      invalidValue(at, v, `${at} in body should be greater than ${s.exclusiveMinimum ? "" : "or equal to "}${min}`),
    );
  if (max !== undefined && (s.exclusiveMaximum ? v >= max : v > max))
    out.push(
      invalidValue(at, v, `${at} in body should be less than ${s.exclusiveMaximum ? "" : "or equal to "}${max}`),
    );
  if (s.multipleOf !== undefined && v % s.multipleOf !== 0)
    out.push(invalidValue(at, v, `${at} in body should be a multiple of ${s.multipleOf}`));
  if (s.format === "int32" && (v < -(2 ** 31) || v >= 2 ** 31))
    out.push(invalidValue(at, v, `${at} in body must be of type int32`));
}

function checkArray(v: readonly unknown[], s: JsonSchema, at: string, out: StatusCause[]): void {
  if (s.minItems !== undefined && v.length < s.minItems)
    out.push(invalidValue(at, v.length, `${at} in body should have at least ${s.minItems} items`));
  if (s.maxItems !== undefined && v.length > s.maxItems)
    out.push(invalidValue(at, v.length, `${at} in body should have at most ${s.maxItems} items`));
  const keys = s["x-kubernetes-list-type"] === "map" ? s["x-kubernetes-list-map-keys"] : undefined;
  const isSet = s.uniqueItems === true || s["x-kubernetes-list-type"] === "set" || keys !== undefined;
  const seen = new Set<string>();
  for (const [i, item] of v.entries()) {
    const own = keys === undefined || !isFields(item) ? item : keys.map((k) => item[k]);
    const id = JSON.stringify(own);
    if (isSet && seen.has(id)) out.push(duplicateValue(`${at}[${i}]`, own));
    seen.add(id);
    if (s.items !== undefined) check(item, s.items, `${at}[${i}]`, out);
  }
}

function checkObject(v: Fields, s: JsonSchema, at: string, out: StatusCause[]): void {
  const child = (key: string) => (at === "" ? key : `${at}.${key}`);
  for (const key of s.required ?? []) if (!Object.hasOwn(v, key)) out.push(required(child(key)));
  const names = Object.keys(v);
  if (s.minProperties !== undefined && names.length < s.minProperties)
    out.push(invalidValue(at, names.length, `${at} in body should have at least ${s.minProperties} properties`));
  if (s.maxProperties !== undefined && names.length > s.maxProperties)
    out.push(invalidValue(at, names.length, `${at} in body should have at most ${s.maxProperties} properties`));
  for (const key of names) {
    const known = s.properties !== undefined && Object.hasOwn(s.properties, key) ? s.properties[key] : undefined;
    const sub = known ?? (typeof s.additionalProperties === "object" ? s.additionalProperties : undefined);
    if (sub !== undefined) check(v[key], sub, child(key), out);
  }
}

function accepts(value: unknown, schema: JsonSchema, at: string): boolean {
  const out: StatusCause[] = [];
  check(value, schema, at, out);
  return out.length === 0;
}

function checkLogic(v: unknown, s: JsonSchema, at: string, out: StatusCause[]): void {
  for (const sub of s.allOf ?? []) check(v, sub, at, out);
  if (s.anyOf !== undefined && !s.anyOf.some((sub) => accepts(v, sub, at)))
    out.push(invalidValue(at, v, `${at} in body must validate at least one schema (anyOf)`));
  if (s.oneOf !== undefined && s.oneOf.filter((sub) => accepts(v, sub, at)).length !== 1)
    out.push(invalidValue(at, v, `${at} in body must validate one and only one schema (oneOf)`));
  if (s.not !== undefined && accepts(v, s.not, at))
    out.push(invalidValue(at, v, `${at} in body must not validate the schema (not)`));
}

function check(value: unknown, s: JsonSchema, at: string, out: StatusCause[]): void {
  if (out.length >= MAX_CAUSES) return;
  if (value === null && s.nullable) return;
  if (!isType(value, s)) {
    const wanted = s["x-kubernetes-int-or-string"] ? "integer,string" : s.type;
    out.push({
      reason: "FieldValueTypeInvalid",
      field: at,
      message: `Invalid value: "${typeOf(value)}": ${at} in body must be of type ${wanted}: "${typeOf(value)}"`,
    });
    return;
  }
  if (s.enum !== undefined && !s.enum.some((e) => jsonEqual(e, value)))
    out.push(unsupportedValue(at, value, s.enum.map(String)));
  if (typeof value === "string") checkString(value, s, at, out);
  else if (typeof value === "number") checkNumber(value, s, at, out);
  else if (Array.isArray(value)) checkArray(value, s, at, out);
  else if (isFields(value)) checkObject(value, s, at, out);
  checkLogic(value, s, at, out);
}

/** Everything that is wrong with a value, at most 100 causes. */
export function validateSchema(value: unknown, schema: JsonSchema, at = ""): StatusCause[] {
  const out: StatusCause[] = [];
  check(value, schema, at, out);
  return out;
}

/** The value with the schema's defaults put where members are absent (or null where null is not allowed). */
export function applyDefaults(value: unknown, schema: JsonSchema): unknown {
  if (Array.isArray(value)) {
    const items = schema.items;
    return items === undefined ? value : value.map((v) => applyDefaults(v, items));
  }
  if (!isFields(value)) return value;
  const out: Record<string, unknown> = { ...value };
  for (const [key, sub] of Object.entries(schema.properties ?? {})) {
    const isAbsent = !Object.hasOwn(out, key) || (out[key] === null && !sub.nullable);
    if (isAbsent && sub.default !== undefined) setOwn(out, key, structuredClone(sub.default));
    if (Object.hasOwn(out, key)) setOwn(out, key, applyDefaults(out[key], sub));
  }
  const rest = schema.additionalProperties;
  if (typeof rest === "object")
    for (const key of Object.keys(out))
      if (!Object.hasOwn(schema.properties ?? {}, key)) setOwn(out, key, applyDefaults(out[key], rest));
  return out;
}

/** The value without members that the schema does not name; their paths go to `pruned`. The root's own metadata stays. */
export function prune(value: unknown, schema: JsonSchema, pruned: string[] = [], at = ""): unknown {
  if (schema["x-kubernetes-preserve-unknown-fields"] && schema.properties === undefined) return value;
  if (Array.isArray(value)) {
    const items = schema.items;
    return items === undefined ? value : value.map((v, i) => prune(v, items, pruned, `${at}[${i}]`));
  }
  if (!isFields(value)) return value;
  const isRoot = at === "" || schema["x-kubernetes-embedded-resource"] === true;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const path = at === "" ? key : `${at}.${key}`;
    const known = Object.hasOwn(schema.properties ?? {}, key) ? schema.properties?.[key] : undefined;
    const rest = schema.additionalProperties;
    if (isRoot && (key === "apiVersion" || key === "kind" || key === "metadata")) out[key] = value[key];
    else if (known !== undefined) setOwn(out, key, prune(value[key], known, pruned, path));
    else if (typeof rest === "object") setOwn(out, key, prune(value[key], rest, pruned, path));
    else if (rest === true || schema["x-kubernetes-preserve-unknown-fields"]) setOwn(out, key, value[key]);
    else if (schema.properties === undefined && schema.type !== "object") setOwn(out, key, value[key]);
    else pruned.push(path);
  }
  return out;
}
