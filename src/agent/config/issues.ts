/** Complaints of the schema in the words of this project: path, value, and what would be right. */

import type * as z from "zod";
import type { Issue } from "../../base/issue.ts";
import { nearest } from "../../base/nearest.ts";

type RawIssue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** `a.b[2].c`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** A value as it may stand in a message: one line, not endless. */
function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function described(issue: RawIssue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return `${quoted(value)} is not ${/^[aeiou]/.test(issue.expected) ? "an" : "a"} ${issue.expected}`;
    case "too_small":
      return typeof value === "number"
        ? `${value} is less than ${issue.minimum}`
        : `${quoted(value)} is too short: at least ${issue.minimum} is wanted`;
    case "too_big":
      return typeof value === "number"
        ? `${value} is more than ${issue.maximum}`
        : `${quoted(value)} is too long: at most ${issue.maximum} is wanted`;
    case "invalid_value":
      return `${quoted(value)} is none of ${issue.values.map((v) => JSON.stringify(v)).join(", ")}`;
    case "custom":
      return issue.message;
    default:
      return `${quoted(value)} is not allowed: ${issue.message}`;
  }
}

/**
 * Issues of a failed parse.
 * @param input what was parsed
 * @param keysAt the known keys of the object at a path
 */
export function readIssues(error: z.ZodError, input: unknown, keysAt: (path: Path) => readonly string[]): Issue[] {
  return error.issues.flatMap((issue): Issue[] => {
    if (issue.code !== "unrecognized_keys")
      return [{ path: pathText(issue.path), message: described(issue, valueAt(input, issue.path)) }];
    const known = keysAt(issue.path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`;
      return { path: pathText([...issue.path, key]), message: `Unknown key "${key.slice(0, 64)}": ${hint}` };
    });
  });
}
