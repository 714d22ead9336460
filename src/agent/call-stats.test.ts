import assert from "node:assert/strict";
import { test } from "node:test";
import { CallStats } from "./call-stats.ts";

test("calls are counted by command and code, durations as a histogram", () => {
  const stats = new CallStats();
  assert.equal(stats.exposition(), "");
  stats.note("ADD", 0, 1.5);
  stats.note("ADD", 0, 1);
  stats.note("ADD", 11, 700);
  stats.note("DEL", 0, 4);
  assert.deepEqual(
    [...stats.codes],
    [
      ["ADD 0", 2],
      ["ADD 11", 1],
      ["DEL 0", 1],
    ],
  );
  const text = stats.exposition();
  for (const line of [
    "# TYPE twill_cni_call_duration_seconds histogram",
    'twill_cni_call_duration_seconds_bucket{command="ADD",le="0.001"} 1',
    'twill_cni_call_duration_seconds_bucket{command="ADD",le="0.002"} 2',
    'twill_cni_call_duration_seconds_bucket{command="ADD",le="0.5"} 2',
    'twill_cni_call_duration_seconds_bucket{command="ADD",le="+Inf"} 3',
    'twill_cni_call_duration_seconds_count{command="ADD"} 3',
    'twill_cni_call_duration_seconds_sum{command="DEL"} 0.004',
  ])
    assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`);
});

test("whatever a caller sends makes one more name at most", () => {
  const stats = new CallStats();
  for (let i = 0; i < 1000; i++) stats.note(`nonsense-${i}"}`, 4, 1);
  assert.deepEqual([...stats.codes], [["other 4", 1000]]);
});
