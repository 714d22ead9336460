/** The JSONPath subset of printer columns: `.a.b`, `.a[0]`, `.a[*].b`, `.a[?(@.type=="Ready")].status`, `['a.b']`. */

import { isFields, jsonEqual } from "./fields.ts";

type Step =
  | { readonly kind: "member"; readonly name: string }
  | { readonly kind: "index"; readonly at: number }
  | { readonly kind: "all" }
  | { readonly kind: "filter"; readonly path: readonly string[]; readonly value: unknown };

const STEP =
  /^(?:\.([^.[\]]+)|\[(-?\d+)\]|\[\*\]|\['((?:[^'\\]|\\.)*)'\]|\[\?\(@((?:\.[^.=\s\]]+)+)\s*==\s*(?:"([^"]*)"|'([^']*)'|([^)\s]+))\s*\)\])/;

function parse(path: string): Step[] | undefined {
  const out: Step[] = [];
  let rest = path.startsWith(".") || path.startsWith("[") ? path : `.${path}`;
  while (rest !== "" && rest !== ".") {
    const m = STEP.exec(rest);
    if (m === null) return undefined;
    rest = rest.slice(m[0].length);
    const name = m[1]?.replaceAll("\\", "") ?? m[3];
    if (name !== undefined) out.push(name === "*" ? { kind: "all" } : { kind: "member", name });
    else if (m[2] !== undefined) out.push({ kind: "index", at: Number(m[2]) });
    else if (m[4] !== undefined) {
      const value = m[5] ?? m[6] ?? (m[7] === undefined ? undefined : literal(m[7]));
      out.push({ kind: "filter", path: m[4].slice(1).split("."), value });
    } else out.push({ kind: "all" });
  }
  return out;
}

function literal(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function member(value: unknown, name: string): unknown {
  return isFields(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function take(value: unknown, step: Step): unknown[] {
  const list = Array.isArray(value) ? value : isFields(value) ? Object.values(value) : [];
  switch (step.kind) {
    case "member":
      return [member(value, step.name)];
    case "index":
      return Array.isArray(value) ? [value.at(step.at)] : [];
    case "all":
      return list;
    case "filter":
      return list.filter((v) => jsonEqual(step.path.reduce<unknown>(member, v), step.value));
  }
}

/** What a path leads to, as one text (several values with commas between them); undefined when it leads nowhere. */
export function jsonPathText(object: unknown, path: string): string | undefined {
  const steps = parse(path.replace(/^\{|\}$/g, ""));
  if (steps === undefined) return undefined;
  let values: unknown[] = [object];
  for (const step of steps) values = values.flatMap((v) => take(v, step)).filter((v) => v !== undefined && v !== null);
  if (values.length === 0) return undefined;
  return values.map((v) => (typeof v === "object" ? JSON.stringify(v) : String(v))).join(",");
}
