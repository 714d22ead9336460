/** Tables for people: columns as wide as their widest cell, two spaces between, no lines. */

import { visibleLength } from "./colour.ts";

/** A table as lines, each ended. @param rows cells; missing ones are empty */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, i) => Math.max(...all.map((r) => visibleLength(r[i] ?? ""))));
  const line = (cells: readonly string[]) =>
    widths
      .map((width, i) => {
        const cell = cells[i] ?? "";
        return cell + " ".repeat(Math.max(0, width - visibleLength(cell)));
      })
      .join("  ")
      .trimEnd();
  return all.map((r) => `${line(r)}\n`).join("");
}

/** `5s`, `3m`, `4h`, `12d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** A share as a whole percentage; small but not zero is `<1%`. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return "-";
  const percent = (100 * part) / whole;
  return part > 0 && percent < 1 ? "<1%" : `${Math.floor(percent)}%`;
}
