import assert from "node:assert/strict";
import { test } from "node:test";
import type { Table } from "./table.ts";
import { type RunnerEvents, TableRunner } from "./table-runner.ts";

interface Row {
  readonly key: string;
  readonly value: number;
}

/** A table over a map that refuses what it is told to refuse. */
class Fixture {
  readonly state = new Map<string, number>();
  readonly refused = new Set<string>();
  readonly calls: string[] = [];
  readonly log: string[] = [];
  desired: readonly Row[] = [];
  observeError: Error | undefined;
  readonly table: Table<Row, Row>;
  readonly runner: TableRunner<Row, Row>;

  constructor(options: { isBatched?: boolean; isCostly?: boolean; isKept?: (r: Row) => boolean } = {}) {
    const putOne = (r: Row) => {
      if (this.refused.has(r.key)) throw new Error(`Cannot put ${r.key}`);
      this.state.set(r.key, r.value);
    };
    const removeOne = (r: Row) => {
      if (this.refused.has(r.key)) throw new Error(`Cannot remove ${r.key}`);
      this.state.delete(r.key);
    };
    const call = (name: string, rows: readonly Row[]) => this.calls.push(`${name} ${rows.map((r) => r.key).join(",")}`);
    this.table = {
      name: "things",
      kind: { desiredKey: (r) => r.key, observedKey: (r) => r.key, matches: (a, b) => a.value === b.value },
      observe: () => {
        this.calls.push("observe");
        if (this.observeError !== undefined) throw this.observeError;
        return Array.from(this.state, ([key, value]) => ({ key, value }));
      },
      put: (r) => {
        call("put", [r]);
        putOne(r);
      },
      remove: (r) => {
        call("remove", [r]);
        removeOne(r);
      },
      print: (r) => `thing ${r.key}=${r.value}`,
      ...(options.isCostly ? { isCostly: true } : {}),
      ...(options.isKept === undefined ? {} : { isKept: options.isKept }),
      ...(options.isBatched
        ? {
            batch: {
              put: (rows) => {
                call("batch", rows);
                for (const r of rows) putOne(r);
              },
              remove: (rows) => {
                call("unbatch", rows);
                for (const r of rows) removeOne(r);
              },
            },
          }
        : {}),
    };
    const events: RunnerEvents = {
      wrote: (_table, action, row, isDrift) => this.log.push(`${action} ${row}${isDrift ? " (drift)" : ""}`),
      failed: (_table, row, message) => this.log.push(`failed ${row}: ${message}`),
    };
    this.runner = new TableRunner(this.table, () => this.desired, events);
  }

  want(rows: Readonly<Record<string, number>>): void {
    this.desired = Object.entries(rows).map(([key, value]) => ({ key, value }));
  }

  run(nowMs = 0, isFull = true): number {
    this.calls.length = 0;
    this.log.length = 0;
    return this.runner.put(nowMs, isFull) + this.runner.remove(nowMs);
  }
}

test("what is missing is put, what is too much removed, then nothing", () => {
  const f = new Fixture();
  f.state.set("old", 1);
  f.want({ a: 1, b: 2 });
  assert.equal(f.run(), 3);
  assert.deepEqual(f.log, ["put thing a=1", "put thing b=2", "remove old"]);
  assert.equal(f.run(), 0);
  assert.deepEqual(f.runner.status(), {
    table: "things",
    wanted: 2,
    done: 2,
    rows: [],
    failing: 0,
    problem: undefined,
  });
});

test("a batch that fails is tried row by row: only the culprit is left, and named", () => {
  const f = new Fixture({ isBatched: true });
  f.want({ a: 1, b: 2, c: 3 });
  f.refused.add("b");
  assert.equal(f.run(), 2);
  assert.deepEqual(f.calls, ["observe", "batch a,b,c", "put a", "put b", "put c"]);
  const { rows, done } = f.runner.status();
  assert.equal(done, 2);
  assert.deepEqual(
    rows.map((r) => [r.row, r.message, r.failures]),
    [["thing b=2", "Cannot put b", 1]],
  );
});

test("a failed row waits longer each time, and is forgotten when it is no longer wanted", () => {
  const f = new Fixture();
  f.want({ a: 1 });
  f.refused.add("a");
  let now = 0;
  const pauses: number[] = [];
  for (let i = 0; i < 12; i++) {
    f.run(now);
    const next = f.runner.nextMs() ?? 0;
    assert.equal(f.run(next - 1), 0);
    assert.deepEqual(f.calls, ["observe"], "not tried before its time");
    pauses.push(next - now);
    now = next;
  }
  assert.deepEqual(pauses, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000, 30_000]);
  assert.equal(f.runner.status().rows[0]?.sinceMs, 0, "since the first failure");
  f.want({});
  f.run(now);
  assert.equal(f.runner.nextMs(), undefined);
  assert.equal(f.runner.status().failing, 0);
});

test("a removal that fails is tried again, apart from the wanted row of the same key", () => {
  const f = new Fixture();
  f.state.set("x", 1);
  f.refused.add("x");
  f.run();
  assert.match(f.runner.status().rows[0]?.row ?? "", /^remove x$/);
  assert.equal(f.run(1), 0);
  f.refused.clear();
  assert.equal(f.run(10_000), 1);
  assert.equal(f.runner.status().failing, 0);
});

test("rows that others own are never removed", () => {
  const f = new Fixture({ isKept: (r) => r.key.startsWith("foreign") });
  f.state.set("foreign-1", 1).set("ours", 1);
  assert.equal(f.run(), 1);
  assert.equal(f.run(), 0);
  assert.deepEqual([...f.state.keys()], ["foreign-1"]);
});

test("what somebody else changed is put back and called drift; a changed wish is not", () => {
  const f = new Fixture();
  f.want({ a: 1 });
  f.run();
  f.state.set("a", 7);
  f.run();
  assert.deepEqual(f.log, ["put thing a=1 (drift)"]);
  assert.equal(f.runner.drifted, 1);
  f.want({ a: 2 });
  f.run();
  assert.deepEqual(f.log, ["put thing a=2"]);
  assert.equal(f.runner.drifted, 0);
  f.state.set("a", 1);
  f.run();
  assert.deepEqual(f.log, ["put thing a=2 (drift)"]);
});

test("drift that cannot be put back at once is counted when it is", () => {
  const f = new Fixture();
  f.want({ a: 1, b: 1 });
  f.run();
  f.state.set("a", 7).set("b", 7);
  f.refused.add("a");
  f.run();
  f.run(10_000);
  assert.equal(f.runner.status().done, 1);
  f.refused.clear();
  f.run(100_000);
  assert.deepEqual([f.log.at(-1), f.runner.drifted], ["put thing a=1 (drift)", 1]);
  // What is wanted otherwise meanwhile was never there.
  f.state.set("a", 7);
  f.refused.add("a");
  f.run(200_000);
  f.want({ a: 2, b: 1 });
  f.refused.clear();
  f.run(300_000);
  assert.deepEqual([f.log.at(-1), f.runner.drifted], ["put thing a=2", 0]);
});

test("a table that cannot be looked at says so, and is looked at again", () => {
  const f = new Fixture();
  f.want({ a: 1 });
  f.observeError = new Error("Cannot list things");
  assert.equal(f.run(), 0);
  assert.equal(f.runner.status().problem, "Cannot list things");
  assert.equal(f.runner.nextMs(), 1000);
  assert.equal(f.runner.status().failing, 1);
  f.observeError = undefined;
  assert.equal(f.run(), 1);
  assert.equal(f.runner.status().problem, undefined);
});

test("a costly table is read when the wish is another array, when something failed, and in full runs", () => {
  const f = new Fixture({ isCostly: true });
  f.want({ a: 1, b: 2 });
  f.refused.add("b");
  f.run(0, false);
  assert.equal(f.run(10_000, false), 0);
  assert.ok(f.calls.includes("observe"), "something failed");
  f.refused.clear();
  f.run(20_000, false);
  assert.equal(f.run(20_001, false), 0);
  assert.deepEqual(f.calls, [], "settled");
  f.state.delete("a");
  assert.equal(f.run(20_002, false), 0);
  assert.equal(f.run(20_003, true), 1);
  f.want({ a: 2 });
  assert.equal(f.run(20_004, false), 2);
});

test("a status names at most fifty rows and counts all", () => {
  const f = new Fixture();
  f.want(Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`k${i}`, i])));
  for (const { key } of f.desired) f.refused.add(key);
  f.run();
  assert.equal(f.runner.status().rows.length, 50);
  assert.equal(f.runner.status().failing, 80);
});
