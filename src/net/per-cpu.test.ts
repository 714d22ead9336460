import assert from "node:assert/strict";
import { test } from "node:test";
import { sockMetricSum } from "./per-cpu.ts";

test("parts of all CPUs are summed, wherever the value stands in its buffer", () => {
  const bytes = new Uint8Array(BigUint64Array.of(100n, 3n, 4n).buffer);
  assert.equal(sockMetricSum(bytes.subarray(8)), 7);
  assert.equal(sockMetricSum(new Uint8Array(0)), 0);
});
