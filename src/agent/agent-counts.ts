/** What an agent counts of its work. */

import type { Log } from "./log.ts";
import type { RunnerEvents } from "./reconcile/table-runner.ts";

/** Counts since the start, for metrics. */
export interface AgentCounts {
  runs: number;
  drifted: number;
  lastRunMs: number | undefined;
  lastDurationMs: number;
  /** By table and action. */
  readonly writes: Map<string, number>;
  readonly failures: Map<string, number>;
  /** Left-over things removed, by kind. */
  readonly repairs: Map<string, number>;
}

/** Nothing counted yet. */
export function newCounts(): AgentCounts {
  return {
    runs: 0,
    drifted: 0,
    lastRunMs: undefined,
    lastDurationMs: 0,
    writes: new Map(),
    failures: new Map(),
    repairs: new Map(),
  };
}

/** One more. */
export function bump(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/** Notes what the reconciler writes. */
export function runnerEvents(counts: AgentCounts, log: Log): RunnerEvents {
  return {
    wrote: (table, action, row, isDrift) => {
      bump(counts.writes, `${table} ${action}`);
      if (isDrift) log.warn({ table, row }, "put back what somebody changed");
      else log.debug({ table, action, row }, "wrote");
    },
    failed: (table, row, message) => {
      bump(counts.failures, table);
      log.error({ table, row, failure: message }, "cannot apply");
    },
  };
}
