/** How a benchmark's rows are shown: a table for people, one line of JSON for programs. */

import { type Row, type RowWithRanges, TWILL } from "./stats.ts";

/** The last line of `--json`; the same shape for every benchmark. */
export function toJson(rows: readonly RowWithRanges[]): string {
  const plain: Row[] = rows.map(({ name, unit, twill, peers, ratios, rounds }) => ({
    name,
    unit,
    twill,
    peers,
    ratios,
    rounds,
  }));
  return JSON.stringify({ rows: plain });
}

/** A table: each row's subjects with median, range and Twill's ratio to it. */
export function toText(rows: readonly RowWithRanges[]): string {
  const lines: string[] = [];
  for (const row of rows) {
    lines.push(`${row.name} (${row.unit}, ${row.rounds} rounds)`);
    const width = Math.max(...Object.keys(row.ranges).map((subject) => subject.length));
    for (const [subject, range] of Object.entries(row.ranges)) {
      const value = subject === TWILL ? row.twill : row.peers[subject];
      const ratio = row.ratios[subject];
      const shown = `${String(value).padStart(8)}  ${`${range[0]}..${range[1]}`.padEnd(18)}`;
      lines.push(
        `  ${subject.padEnd(width)} ${shown}${ratio === undefined ? "" : ` twill is ${ratio.toFixed(2)} of it`}`.trimEnd(),
      );
    }
  }
  return lines.join("\n");
}
