/** Whether pods can be attached, and if not, why: in words that say what is waited for. */

import type { RunReport, TableStatus } from "./reconcile/status.ts";

/**
 * Tables in which a failed row concerns one pod, one other node, host ports or services, not this node's network as a whole: reported, but
 * no reason to refuse every new pod. What a socket hook would have translated, a pod's packets are translated for.
 */
const LOCAL_DAMAGE: ReadonlySet<string> = new Set([
  "map/ipcache",
  "map/nodes",
  "map/endpoints",
  "map/services",
  "map/service_slots",
  "map/backends",
  "map/service_sources",
  "map/host_ports",
  "socket-hooks",
]);

/** A pod's device in a row's words. */
const POD_LINK = /\btwl[0-9a-f]{12}\b/;

/** Most reasons that are named. */
const MAX_REASONS = 10;

/** What readiness follows from. */
export interface ReadinessFacts {
  /** Why the programs could not be loaded; undefined: they are. */
  readonly programsProblem: string | undefined;
  /** Why there is no plan yet; undefined: there is one. */
  readonly waitingFor: string | undefined;
  /** Why the last run could not even begin; undefined: it did. */
  readonly runProblem: string | undefined;
  /** Runs in a row that could not begin. */
  readonly failedRuns: number;
  /** The last run; undefined: none yet. */
  readonly report: RunReport | undefined;
}

/** Whether a failure leaves the network of other pods as it is. */
function isLocal(table: TableStatus, text: string): boolean {
  return LOCAL_DAMAGE.has(table.table) || POD_LINK.test(text);
}

function rowsOf(table: TableStatus): string[] {
  if (table.problem !== undefined) return [`${table.table}: ${table.problem}`];
  return table.rows.map((r) => `${table.table}: ${r.row}: ${r.message}`);
}

function failures(report: RunReport | undefined, wantsLocal: boolean): string[] {
  return (report?.tables ?? []).flatMap((t) => rowsOf(t).filter((text) => isLocal(t, text) === wantsLocal));
}

/** Reasons why a pod that is attached now would have no working network. Empty: it would. */
export function notReadyReasons(f: ReadinessFacts): readonly string[] {
  if (f.programsProblem !== undefined) return [f.programsProblem];
  if (f.waitingFor !== undefined) return [f.waitingFor];
  if (f.report === undefined) return [f.runProblem ?? "The first reconciliation is not complete"];
  // One is another process at work with the ledger; more is a ledger or a kernel that does not answer.
  if (f.runProblem !== undefined && f.failedRuns > 1) return [f.runProblem];
  return failures(f.report, false).slice(0, MAX_REASONS);
}

/** Rows that fail without keeping pods from being attached. */
export function localDamage(report: RunReport | undefined): readonly string[] {
  return failures(report, true).slice(0, MAX_REASONS);
}
