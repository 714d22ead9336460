import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { median, quantile, type Sample, summarize } from "./stats.ts";

test("a quantile lies between the nearest ranks", () => {
  assert.equal(quantile([4, 1, 3, 2], 0), 1);
  assert.equal(quantile([4, 1, 3, 2], 1), 4);
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.equal(median([7]), 7);
  assert.throws(() => median([]), RangeError);
});

test("a quantile never leaves the range of its values and grows with q", () => {
  const finite = fc.double({ min: -1e9, max: 1e9, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(finite, { minLength: 1, maxLength: 50 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (v, q) => {
        const value = quantile(v, q);
        return value >= Math.min(...v) - 1e-6 && value <= Math.max(...v) + 1e-6 && value <= quantile(v, 1) + 1e-6;
      },
    ),
  );
});

test("ratios are medians of the rounds' own ratios, Twill over the peer", () => {
  const of = (subject: string, values: number[]): Sample[] =>
    values.map((value, round) => ({ row: "x.p50", subject, round, value }));
  // The machine was three times slower in round 1: the ratio of medians would be 2/2 = 1, each round says 1/2.
  const samples = [...of("twill", [1, 3, 2]), ...of("bridge", [2, 6, 4])];
  assert.deepEqual(summarize([{ name: "x.p50", unit: "ms" }], samples), [
    {
      name: "x.p50",
      unit: "ms",
      twill: 2,
      peers: { bridge: 4 },
      ratios: { bridge: 0.5 },
      rounds: 3,
      ranges: { twill: [1, 3], bridge: [2, 6] },
    },
  ]);
});

test("rounds that only one side finished give no ratio, and unmeasured rows are left out", () => {
  const rows = summarize(
    [
      { name: "a", unit: "us" },
      { name: "b", unit: "us" },
    ],
    [
      { row: "a", subject: "twill", round: 0, value: 5 },
      { row: "a", subject: "bridge", round: 1, value: 10 },
    ],
  );
  assert.equal(rows.length, 1);
  assert.deepEqual(rows[0]?.ratios, {});
  assert.deepEqual(rows[0]?.peers, { bridge: 10 });
});
