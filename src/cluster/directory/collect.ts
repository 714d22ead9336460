/** From files to tables: what each file gives, what is kept of a file that broke, and which of two equal names wins. */

import type { Issue } from "../../base/issue.ts";
import type { RowChange } from "../../store/table.ts";
import type { ClusterTable, ObjectProblem } from "../source.ts";
import type { AnyRow } from "../tables.ts";
import type { BrokenDocument, FileContent } from "./read-file.ts";

/** Rows of one file that count now. */
export interface KeptFile {
  readonly rows: readonly {
    readonly place: string;
    readonly table: ClusterTable;
    readonly key: string;
    readonly row: AnyRow;
    /** No version of the object: what stands for one that is refused. */
    readonly isClosed?: true;
  }[];
  readonly problems: readonly ObjectProblem[];
}

/** A file without anything in it. */
export const EMPTY_FILE: KeptFile = { rows: [], problems: [] };

/** Whether the document may be what the row was made of: one that is no YAML may be any, one of a wrong kind has the name. */
function mayHide({ kind, name }: BrokenDocument, key: string): boolean {
  return kind === undefined || key.slice(key.indexOf("/") + 1) === name;
}

/**
 * What counts of a file that was read again. An object that cannot be read keeps the row that the file gave for it
 * before, and so do former rows that are not there anew and that a broken document may hide.
 */
export function keepGood(path: string, content: FileContent, before: KeptFile): KeptFile {
  const problems: ObjectProblem[] = [];
  const rows: KeptFile["rows"][number][] = [];
  for (const o of content.objects) {
    const { place, key, row } = o;
    const table = o.kind.table;
    if (row !== undefined) {
      rows.push({ place, table, key, row });
      continue;
    }
    problems.push({ table, key, subject: `${path}#${place}`, issues: o.issues });
    const old = before.rows.find((r) => r.table === table && r.key === key);
    if (old !== undefined && old.isClosed !== true) rows.push({ ...old, place });
    else if (o.closed !== undefined) rows.push({ place, table, key, row: o.closed, isClosed: true });
  }
  for (const b of content.broken)
    problems.push({ table: undefined, key: undefined, subject: `${path}#${b.place}`, issues: b.issues });
  for (const old of before.rows) {
    const isHidden = content.broken.some((b) => mayHide(b, old.key));
    if (isHidden && !rows.some((r) => r.table === old.table && r.key === old.key)) rows.push(old);
  }
  return { rows, problems };
}

/** A file that could not be read at all: what it gave before stays. */
export function keepUnread(path: string, message: string, before: KeptFile): KeptFile {
  const issues: readonly Issue[] = [{ path: "", message }];
  return { rows: before.rows, problems: [{ table: undefined, key: undefined, subject: path, issues }] };
}

/** Wanted rows by table, and every problem; of objects with one name the first in order of paths counts. */
export function collectRows(files: ReadonlyMap<string, KeptFile>): {
  readonly rows: ReadonlyMap<ClusterTable, ReadonlyMap<string, AnyRow>>;
  readonly problems: readonly ObjectProblem[];
} {
  const rows = new Map<ClusterTable, Map<string, AnyRow>>();
  const first = new Map<string, string>();
  const problems: ObjectProblem[] = [];
  for (const path of [...files.keys()].sort()) {
    const file = files.get(path) ?? EMPTY_FILE;
    problems.push(...file.problems);
    for (const { place, table, key, row } of file.rows) {
      const at = `${path}#${place}`;
      const known = first.get(`${table} ${key}`);
      if (known !== undefined) {
        const message = `"${key}" stands in "${known}" already: that one is used, this one is not`;
        problems.push({ table, key, subject: at, issues: [{ path: "metadata.name", message }] });
        continue;
      }
      first.set(`${table} ${key}`, at);
      const of = rows.get(table) ?? new Map<string, AnyRow>();
      rows.set(table, of.set(key, row));
    }
  }
  return { rows, problems };
}

/** The changes that lead from one set of rows to another. */
export function rowChanges(current: Iterable<string>, wanted: ReadonlyMap<string, AnyRow>): RowChange<AnyRow>[] {
  const out: RowChange<AnyRow>[] = [];
  for (const key of current) if (!wanted.has(key)) out.push({ key, row: undefined });
  for (const [key, row] of wanted) out.push({ key, row });
  return out;
}
