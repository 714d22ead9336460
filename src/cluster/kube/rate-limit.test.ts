import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateLimit } from "./rate-limit.ts";

test("a burst passes at once, then one after the other, and a pause refills", async () => {
  let now = 0;
  const limit = createRateLimit(100, 3, () => now);
  const passed: number[] = [];
  const signal = new AbortController().signal;
  const all = Array.from({ length: 5 }, (_, i) => limit.take(signal).then(() => passed.push(i)));
  await Promise.all(all.slice(0, 3));
  assert.deepEqual(passed, [0, 1, 2]);
  await Promise.all(all);
  assert.deepEqual(passed, [0, 1, 2, 3, 4]);
  now += 1000;
  await Promise.all([limit.take(signal), limit.take(signal), limit.take(signal)]);
});

test("who waits can give up", async () => {
  const limit = createRateLimit(0.001, 1);
  const stop = new AbortController();
  await limit.take(stop.signal);
  const waiting = limit.take(stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(waiting);
  await assert.rejects(limit.take(stop.signal), /enough/);
});
