import assert from "node:assert/strict";
import { test } from "node:test";
import { metricSum, sockMetricSum } from "./per-cpu.ts";

test("parts of all CPUs are summed, wherever the value stands in its buffer", () => {
  const bytes = new Uint8Array(BigUint64Array.of(100n, 3n, 4n).buffer);
  assert.equal(sockMetricSum(bytes.subarray(8)), 7);
  assert.equal(sockMetricSum(new Uint8Array(0)), 0);
  const counts = new Uint8Array(BigUint64Array.of(100n, 3n, 300n, 4n, 400n).buffer);
  assert.deepEqual(metricSum(counts.subarray(8)), { packets: 7, bytes: 700 });
  assert.deepEqual(metricSum(new Uint8Array(0)), { packets: 0, bytes: 0 });
});
