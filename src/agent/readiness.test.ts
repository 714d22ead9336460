/** What keeps pods from being attached, and what is only reported. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { localDamage, notReadyReasons, type ReadinessFacts } from "./readiness.ts";
import type { RunReport, TableStatus } from "./reconcile/status.ts";

function table(name: string, row?: string): TableStatus {
  const failed = { state: "error", message: "no room", sinceMs: 0, failures: 1, retryAtMs: 0 } as const;
  const rows = row === undefined ? [] : [{ ...failed, row }];
  return { table: name, wanted: 1, done: 1 - rows.length, rows, failing: rows.length, problem: undefined };
}

function facts(tables: readonly TableStatus[]): ReadinessFacts {
  const report: RunReport = { tables, writes: 0, drifted: 0, failing: 0, retryAtMs: undefined };
  return { programsProblem: undefined, waitingFor: undefined, runProblem: undefined, failedRuns: 0, report };
}

test("a failed row of the node's own network keeps all pods waiting", () => {
  for (const name of ["links", "routes", "sysctls", "attachments", "map/config"]) {
    const f = facts([table(name, "row"), table("map/nodes")]);
    assert.deepEqual(notReadyReasons(f), [`${name}: row: no room`]);
    assert.deepEqual(localDamage(f.report), []);
  }
});

test("one of a service, a socket hook, another node or another pod keeps nobody waiting, and is reported", () => {
  for (const [name, row] of [
    ["map/services", "10.96.0.1:443"],
    ["map/service_slots", "1"],
    ["map/backends", "1"],
    ["map/service_sources", "1"],
    ["socket-hooks", "connect4"],
    ["map/nodes", "192.168.77.12"],
    ["attachments", "tc filter on twl0123456789ab"],
  ] as const) {
    const f = facts([table(name, row)]);
    assert.deepEqual(notReadyReasons(f), []);
    assert.deepEqual(localDamage(f.report), [`${name}: ${row}: no room`]);
  }
});

test("what comes first is said first: programs, then what is waited for, then a run that cannot begin", () => {
  const f = facts([table("links", "row")]);
  assert.deepEqual(notReadyReasons({ ...f, programsProblem: "p", waitingFor: "w" }), ["p"]);
  assert.deepEqual(notReadyReasons({ ...f, waitingFor: "w" }), ["w"]);
  assert.deepEqual(notReadyReasons({ ...f, runProblem: "r", failedRuns: 2 }), ["r"]);
  assert.deepEqual(notReadyReasons({ ...f, runProblem: "r", failedRuns: 1 }), ["links: row: no room"]);
  assert.deepEqual(notReadyReasons({ ...f, report: undefined }), ["The first reconciliation is not complete"]);
});
