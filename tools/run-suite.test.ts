import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tallyOf } from "./run-suite.ts";
import { addTallies, formatTally, noTests } from "./tally.ts";

const counts = { tests: 0, passed: 0, cancelled: 0, skipped: 0, todo: 0, suites: 0, topLevel: 0 };

describe("tallyOf()", () => {
  const cases: readonly [string, Parameters<typeof tallyOf>[0], string][] = [
    ["all well", { success: true, counts: { ...counts, tests: 3, passed: 3 } }, "3 passed, 0 failed, 0 skipped"],
    ["one failed", { success: false, counts: { ...counts, tests: 3, passed: 2 } }, "2 passed, 1 failed, 0 skipped"],
    [
      "skipped",
      { success: true, counts: { ...counts, tests: 3, passed: 1, skipped: 2 } },
      "1 passed, 0 failed, 2 skipped",
    ],
    ["cancelled", { success: false, counts: { ...counts, tests: 2, cancelled: 2 } }, "0 passed, 2 failed, 0 skipped"],
    [
      "only a hook failed",
      { success: false, counts: { ...counts, tests: 1, passed: 1 } },
      "1 passed, 1 failed, 0 skipped",
    ],
    ["no test ran", { success: true, counts }, "0 passed, 1 failed, 0 skipped"],
  ];
  for (const [name, summary, wanted] of cases)
    it(`${name}: ${wanted}`, () => assert.equal(formatTally(tallyOf(summary)), wanted));
});

it("addTallies() adds each count", () => {
  const t = { passed: 1, failed: 2, skipped: 3 };
  assert.deepEqual(addTallies(addTallies(noTests, t), t), { passed: 2, failed: 4, skipped: 6 });
});
