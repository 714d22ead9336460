/** What is known of the status of objects that Twill reads strictly: where it is, what stands there, what should. */

import type { Issue } from "../base/issue.ts";
import type { ClusterTable } from "./source.ts";

/** A condition of `meta/v1`, less the times. */
export interface ObjectCondition {
  readonly type: string;
  readonly status: string;
  /** One CamelCase word. */
  readonly reason: string;
  readonly message: string;
  /** Generation of the object that it is about. */
  readonly observedGeneration: number;
}

/** One object. */
export interface ObjectReport {
  readonly table: ClusterTable;
  readonly key: string;
  /** Its path in the API. */
  readonly path: string;
  readonly generation: number;
  /** Why it cannot be read; empty: it can. */
  readonly issues: readonly Issue[];
  /** Those that stand there of the types that Twill writes. */
  readonly conditions: readonly ObjectCondition[];
}

/** Types of the conditions that Twill writes. */
const CONDITION_TYPES: readonly string[] = ["Accepted", "Enforced", "Ready"];

/** All reports, bounded; what is beyond is not reported on the object. */
export interface Reports {
  put(report: ObjectReport): void;
  delete(table: ClusterTable, key: string): void;
  /** Only those keys of the table stay. */
  keep(table: ClusterTable, keys: { has(key: string): boolean }): void;
  all(): Iterable<ObjectReport>;
  /** Grows with every change. */
  version(): number;
}

const MAX_REPORTS = 100_000;

/** None yet. */
export function createReports(): Reports {
  const reports = new Map<string, ObjectReport>();
  let version = 0;
  const id = (table: ClusterTable, key: string) => `${table} ${key}`;
  return {
    put(report) {
      const at = id(report.table, report.key);
      if (reports.size >= MAX_REPORTS && !reports.has(at)) return;
      reports.set(at, report);
      version++;
    },
    delete(table, key) {
      if (reports.delete(id(table, key))) version++;
    },
    keep(table, keys) {
      for (const r of reports.values()) if (r.table === table && !keys.has(r.key)) reports.delete(id(table, r.key));
      version++;
    },
    all: () => reports.values(),
    version: () => version,
  };
}

interface RawObject {
  readonly metadata?: { readonly namespace?: unknown; readonly name?: unknown; readonly generation?: unknown };
  readonly status?: { readonly conditions?: unknown };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function readConditions(raw: RawObject): ObjectCondition[] {
  const list: readonly unknown[] = Array.isArray(raw.status?.conditions) ? raw.status.conditions : [];
  return list.flatMap((c) => {
    const { type, status, reason, message, observedGeneration } = (c ?? {}) as Readonly<Record<string, unknown>>;
    if (!CONDITION_TYPES.includes(text(type))) return [];
    const generation = typeof observedGeneration === "number" ? observedGeneration : 0;
    return [
      {
        type: text(type),
        status: text(status),
        reason: text(reason),
        message: text(message),
        observedGeneration: generation,
      },
    ];
  });
}

/**
 * What an object of the collection says of itself; undefined: it has no name.
 * @param collection path over all namespaces
 */
export function readReport(
  value: unknown,
  at: {
    readonly table: ClusterTable;
    readonly key: string;
    readonly collection: string;
    readonly isNamespaced: boolean;
  },
  issues: readonly Issue[],
): ObjectReport | undefined {
  const raw = (value ?? {}) as RawObject;
  const name = text(raw.metadata?.name);
  if (name === "") return undefined;
  const slash = at.collection.lastIndexOf("/");
  const namespace = at.isNamespaced ? `/namespaces/${encodeURIComponent(text(raw.metadata?.namespace))}` : "";
  return {
    table: at.table,
    key: at.key,
    path: `${at.collection.slice(0, slash)}${namespace}${at.collection.slice(slash)}/${encodeURIComponent(name)}`,
    generation: typeof raw.metadata?.generation === "number" ? raw.metadata.generation : 0,
    issues,
    conditions: readConditions(raw),
  };
}
