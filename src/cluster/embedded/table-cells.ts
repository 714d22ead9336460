/** Cells that several kinds share. */

import type { Fields } from "./fields.ts";
import type { KubeObject } from "./types.ts";

/** One column. */
export interface Column {
  readonly name: string;
  readonly type: string;
  /** `name` for the column that names the object. */
  readonly format?: string;
  readonly description?: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
  readonly cell: (object: KubeObject) => unknown;
}

export type Columns = readonly Column[];

/** The first column of every table. */
export const NAME: Column = { name: "Name", type: "string", format: "name", cell: (o) => o.metadata.name };

/** A string column. */
export function text(name: string, cell: (o: KubeObject) => unknown, priority = 0): Column {
  return { name, type: "string", priority, cell };
}

/** A number column. */
export function number(name: string, cell: (o: KubeObject) => unknown): Column {
  return { name, type: "integer", cell: (o) => cell(o) ?? 0 };
}

/** A span as kubectl writes it: 45s, 5m30s, 90m, 3h20m, 2d4h, 30d, 2y10d. */
export function duration(ms: number): string {
  const s = Math.floor(ms / 1000);
  if (s < 0) return s >= -2 ? "0s" : "<invalid>";
  if (s < 120) return `${s}s`;
  const two = (a: number, unitA: string, b: number, unitB: string) =>
    b === 0 ? `${a}${unitA}` : `${a}${unitA}${b}${unitB}`;
  const m = Math.floor(s / 60);
  if (m < 10) return two(m, "m", s % 60, "s");
  if (m < 180) return `${m}m`;
  const h = Math.floor(m / 60);
  if (h < 8) return two(h, "h", m % 60, "m");
  if (h < 48) return `${h}h`;
  const d = Math.floor(h / 24);
  if (d < 8) return two(d, "d", h % 24, "h");
  if (d < 730) return `${d}d`;
  return d < 2920 ? two(Math.floor(d / 365), "y", d % 365, "d") : `${Math.floor(d / 365)}y`;
}

/** Time since an RFC 3339 time; `<unknown>` when there is none. */
export function since(time: unknown): string {
  const ms = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? "<unknown>" : duration(Date.now() - ms);
}

/** Age of an object. */
export function age(o: KubeObject): string {
  return since(o.metadata.creationTimestamp);
}

export const AGE: Column = text("Age", age);

/** `a=b,c=d`, or `<none>`. */
export function labelText(labels: unknown): string {
  const entries = Object.entries((labels ?? {}) as Record<string, string>);
  return entries.length === 0 ? "<none>" : entries.map(([k, v]) => `${k}=${v}`).join(",");
}

/** A `LabelSelector` object as text. */
export function selectorText(selector: Fields | undefined): string {
  const labels = Object.entries(selector?.["matchLabels"] ?? {}).map(([k, v]) => `${k}=${v}`);
  const expressions = (selector?.["matchExpressions"] ?? []).map((e: Fields) => {
    if (e["operator"] === "Exists") return e["key"];
    if (e["operator"] === "DoesNotExist") return `!${e["key"]}`;
    return `${e["key"]} ${String(e["operator"]).toLowerCase()} (${(e["values"] ?? []).join(",")})`;
  });
  const all = [...labels, ...expressions];
  return all.length === 0 ? "<none>" : all.join(",");
}

/** `<none>` for what is empty. */
export function orNone(value: unknown): string {
  return value === undefined || value === null || value === "" ? "<none>" : String(value);
}

/** Names and images of the containers of a pod template, for `-o wide`. */
export function containerColumns(template: (o: KubeObject) => Fields | undefined): Columns {
  const list = (o: KubeObject): readonly Fields[] => template(o)?.["spec"]?.containers ?? [];
  return [
    text(
      "Containers",
      (o) =>
        list(o)
          .map((c) => c["name"])
          .join(","),
      1,
    ),
    text(
      "Images",
      (o) =>
        list(o)
          .map((c) => c["image"])
          .join(","),
      1,
    ),
  ];
}
