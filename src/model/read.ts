/**
 * Reading of unknown JSON: every complaint is collected with its path, nothing throws, unknown fields are ignored.
 * The `object → domain` functions of this folder are written with it and are the only users.
 */

import type { Issue } from "../base/issue.ts";
import type { Interner, Labels } from "./intern.ts";
import { NO_LABELS } from "./intern.ts";

/** One JSON object at one path. Absent and `null` members are the same, as the Kubernetes API has it. */
export interface Reader {
  readonly path: string;
  /** Its members that are not null, in their order. */
  keys(): readonly string[];
  /** Whether the member is there and not null. */
  has(key: string): boolean;
  /** As it is: for members of several types. */
  value(key: string): unknown;
  string(key: string): string | undefined;
  /** A string that must be there and not be empty; an issue and `""` otherwise. */
  requiredString(key: string): string;
  boolean(key: string): boolean | undefined;
  /** An integer from `min` to `max`, both inclusive. */
  integer(key: string, min: number, max: number): number | undefined;
  object(key: string): Reader | undefined;
  objects(key: string): readonly Reader[];
  strings(key: string): readonly string[];
  labels(key: string, interner: Interner): Labels;
  issue(key: string, message: string): void;
  /** An issue about the object itself. */
  complain(message: string): void;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeName(value: unknown): string {
  return Array.isArray(value)
    ? "a list"
    : value === null
      ? "null"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`;
}

function join(path: string, key: string): string {
  const step = /^[A-Za-z_][A-Za-z0-9_-]*(\[\d+\])?$/.test(key)
    ? path === ""
      ? key
      : `.${key}`
    : `[${JSON.stringify(key)}]`;
  return `${path}${step}`;
}

/** A reader of the root value; not an object is an issue, and then every member is absent. */
export function readObject(value: unknown, issues: Issue[], path = ""): Reader {
  if (!isObject(value)) issues.push({ path, message: `Expected an object, not ${typeName(value)}` });
  return reader(isObject(value) ? value : {}, issues, path);
}

function reader(value: Record<string, unknown>, issues: Issue[], path: string): Reader {
  const get = (key: string): unknown => (Object.hasOwn(value, key) ? (value[key] ?? undefined) : undefined);
  const issue = (key: string, message: string) => void issues.push({ path: join(path, key), message });
  function typed<T>(key: string, is: (v: unknown) => v is T, wanted: string): T | undefined {
    const v = get(key);
    if (v === undefined || is(v)) return v;
    issue(key, `Expected ${wanted}, not ${typeName(v)}`);
    return undefined;
  }
  const list = (key: string) => typed(key, (v): v is unknown[] => Array.isArray(v), "a list") ?? [];
  return {
    path,
    issue,
    complain: (message) => void issues.push({ path, message }),
    keys: () => Object.keys(value).filter((key) => get(key) !== undefined),
    value: get,
    has: (key) => get(key) !== undefined,
    string: (key) => typed(key, (v) => typeof v === "string", "a string"),
    requiredString(key) {
      const before = issues.length;
      const v = typed(key, (x) => typeof x === "string", "a string") ?? "";
      if (v === "" && issues.length === before) issue(key, "A value is required");
      return v;
    },
    boolean: (key) => typed(key, (v) => typeof v === "boolean", "true or false"),
    integer(key, min, max) {
      const v = typed(key, (x) => typeof x === "number", "a number");
      if (v === undefined || (Number.isInteger(v) && v >= min && v <= max)) return v;
      issue(key, `${v} is not an integer from ${min} to ${max}`);
      return undefined;
    },
    object(key) {
      const v = typed(key, isObject, "an object");
      return v === undefined ? undefined : reader(v, issues, join(path, key));
    },
    objects(key) {
      const at = join(path, key);
      return list(key).map((v, i) => readObject(v, issues, `${at}[${i}]`));
    },
    strings(key) {
      const at = join(path, key);
      return list(key).filter((v, i): v is string => {
        if (typeof v === "string") return true;
        issues.push({ path: `${at}[${i}]`, message: `Expected a string, not ${typeName(v)}` });
        return false;
      });
    },
    labels(key, interner) {
      const v = typed(key, isObject, "an object of strings");
      return v === undefined ? NO_LABELS : readLabels(v, interner, issues, join(path, key));
    },
  };
}

function readLabels(value: Record<string, unknown>, interner: Interner, issues: Issue[], path: string): Labels {
  const entries: [string, string][] = [];
  for (const [k, v] of Object.entries(value)) {
    if (typeof v === "string") entries.push([interner.string(k), interner.string(v)]);
    else issues.push({ path: join(path, k), message: `Expected a string, not ${typeName(v)}` });
  }
  return interner.labels(entries);
}
