/** A table of who reaches whom, for people: what policy says and what probes found look alike. */

import type { PolicyMatrix } from "./matrix.ts";

/** A matrix as tables of marks: one row for each sender. */
export function formatMatrix(matrix: PolicyMatrix): string {
  const mark = (verdict: string | undefined) =>
    verdict === undefined
      ? ""
      : verdict === "ok"
        ? "✔"
        : verdict === "refused"
          ? "✘"
          : verdict === "timeout"
            ? "·"
            : verdict;
  return Object.entries(matrix)
    .map(([key, rows]) => {
      const names = [...new Set(Object.values(rows).flatMap((r) => Object.keys(r)))];
      const width = Math.max(4, ...Object.keys(rows).map((n) => n.length));
      const widths = names.map((n) => Math.max(n.length, ...Object.values(rows).map((r) => mark(r[n]).length)));
      const line = (head: string, cells: readonly string[]) =>
        `${head.padEnd(width)}  ${cells.map((c, i) => c.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd();
      const body = Object.entries(rows).map(([from, r]) =>
        line(
          from,
          names.map((n) => mark(r[n])),
        ),
      );
      return [`${key}   ✔ ok  ✘ refused  · timeout`, line("from", names), ...body].join("\n");
    })
    .join("\n\n");
}
