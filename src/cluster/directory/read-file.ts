/** Objects of one YAML or JSON file, each with what is wrong with it. */

import { parseAllDocuments } from "yaml";
import type { Issue } from "../../base/issue.ts";
import type { Interner } from "../../model/intern.ts";
import { closedRow } from "../closed-object.ts";
import { type AnyRow, findTableKind, keyOfRaw, type TableKind } from "../tables.ts";
import { misspelled } from "../unread-kinds.ts";

/** Documents of one file, and items of one `List`, that are read. */
const MAX_DOCUMENTS = 100_000;

/** One object of a kind that has a table. */
export interface FileObject {
  /** Number of the document in the file, from 1, and of the item in a list: `3` or `3[0]`. */
  readonly place: string;
  readonly kind: TableKind;
  readonly key: string;
  /** undefined: could not be read, see `issues`. */
  readonly row: AnyRow | undefined;
  readonly issues: readonly Issue[];
  /** What stands for a refused object of which no earlier version is known. */
  readonly closed: AnyRow | undefined;
}

/** An object that no table is for. */
export interface OtherObject {
  readonly place: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** As it was read: nobody has looked at it. */
  readonly value: object;
}

/** Something that nobody can use. */
export interface BrokenDocument {
  readonly place: string;
  /** What it calls itself; undefined: it could not be made out. */
  readonly kind?: string;
  readonly name?: string;
  readonly issues: readonly Issue[];
}

/** What a file holds. */
export interface FileContent {
  readonly objects: readonly FileObject[];
  /** Objects of kinds without a table: a directory may hold a whole application. */
  readonly others: readonly OtherObject[];
  /** Documents that are no objects at all, and objects whose kind or version is a mistake: they were meant to count. */
  readonly broken: readonly BrokenDocument[];
}

interface Header {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly items?: unknown;
}

function nameOf(value: object): string {
  const { name } = (value as { metadata?: { name?: unknown } | null }).metadata ?? {};
  return typeof name === "string" ? name : "";
}

/** What is wrong and where; the lines behind show the text with a mark, which needs a terminal's width. */
function firstLine(message: string): string {
  return (message.split("\n")[0] ?? "").replace(/[:\s]+$/, "");
}

/** Of all mistakes of a document the first: the others mostly follow from it. */
function notYaml(message: string, text: string): string {
  const hint = /^\s*\{\{|: *\{\{/m.test(text) ? ". A template is to be rendered first, as by helm template" : "";
  return `Not YAML: ${firstLine(message)}${hint}`;
}

/** Takes values one by one and sorts them into what a file holds. */
function createReader(interner: Interner) {
  const objects: FileObject[] = [];
  const others: OtherObject[] = [];
  const broken: BrokenDocument[] = [];

  function take(value: unknown, place: string): void {
    if (value === null || value === undefined) return;
    if (typeof value !== "object" || Array.isArray(value)) {
      broken.push({ place, issues: [{ path: "", message: "Expected an object with apiVersion and kind" }] });
      return;
    }
    const { apiVersion, kind, items } = value as Header;
    if (typeof apiVersion !== "string" || typeof kind !== "string") {
      const missing = typeof apiVersion !== "string" ? "apiVersion" : "kind";
      broken.push({ place, issues: [{ path: missing, message: "A value is required" }] });
      return;
    }
    if (kind.endsWith("List") && Array.isArray(items)) {
      // Items of a typed list need not say what they are.
      const own = kind === "List" ? {} : { apiVersion, kind: kind.slice(0, -4) };
      for (const [i, item] of items.slice(0, MAX_DOCUMENTS).entries())
        take(typeof item === "object" && item !== null ? { ...own, ...item } : item, `${place}[${i}]`);
      return;
    }
    const table = findTableKind(apiVersion, kind);
    if (table === undefined) {
      const issue = misspelled(apiVersion, kind);
      if (issue === undefined) others.push({ place, apiVersion, kind, value });
      else broken.push({ place, kind, name: nameOf(value), issues: [issue] });
      return;
    }
    const parsed = table.parse(value, interner);
    const key = parsed.ok ? table.keyOf(parsed.value) : keyOfRaw(table, value);
    const [row, issues] = parsed.ok ? [parsed.value, []] : [undefined, parsed.error];
    const closed = parsed.ok ? undefined : closedRow(table, value, interner);
    objects.push({ place, kind: table, key, row, issues, closed });
  }
  return { content: { objects, others, broken }, broken, take };
}

/** Reads objects that are values already; their places are their numbers, from 1. */
export function readValues(values: readonly unknown[], interner: Interner): FileContent {
  const { content, take } = createReader(interner);
  for (const [i, value] of values.entries()) take(value, String(i + 1));
  return content;
}

/** Reads a file's text. */
export function readFileContent(text: string, interner: Interner): FileContent {
  const { content, broken, take } = createReader(interner);
  // kubectl takes merge keys ("<<") although YAML 1.2 has them no more.
  const documents = parseAllDocuments(text, { logLevel: "error", merge: true });
  if (!Array.isArray(documents)) return content;
  for (const [i, document] of documents.slice(0, MAX_DOCUMENTS).entries()) {
    const place = String(i + 1);
    const [error] = document.errors;
    if (error !== undefined) {
      broken.push({ place, issues: [{ path: "", message: notYaml(error.message, text) }] });
      continue;
    }
    try {
      take(document.toJS({ maxAliasCount: 100 }), place);
    } catch (error) {
      broken.push({ place, issues: [{ path: "", message: notYaml((error as Error).message, text) }] });
    }
  }
  return content;
}
