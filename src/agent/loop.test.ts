import assert from "node:assert/strict";
import { test } from "node:test";
import { Loop } from "./loop.ts";

/** A loop whose runs are counted; the work says when to run again. */
function counted(nextMs: () => number) {
  const state = { runs: 0 };
  const waiters: (() => void)[] = [];
  const loop = new Loop(() => {
    state.runs++;
    for (const wake of waiters.splice(0)) wake();
    return { inMs: nextMs() };
  });
  return { loop, state, nextRun: () => new Promise<void>((resolve) => waiters.push(resolve)) };
}

test("many requests become one run", async () => {
  const { loop, state, nextRun } = counted(() => 60_000);
  for (let i = 0; i < 100; i++) loop.request();
  await nextRun();
  assert.equal(state.runs, 1);
  loop.request();
  await nextRun();
  assert.equal(state.runs, 2);
  loop.stop();
});

test("it runs again when its time comes, though nobody asks", async () => {
  const { loop, state, nextRun } = counted(() => 30);
  loop.request();
  while (state.runs < 3) await nextRun();
  loop.stop();
});

test("an earlier wish stands over a later one, and a later one changes nothing", async () => {
  const { loop, state, nextRun } = counted(() => 60_000);
  loop.request(60_000);
  loop.request(1);
  loop.request(50_000);
  await nextRun();
  assert.equal(state.runs, 1);
  loop.stop();
});

test("a stopped loop never runs", async () => {
  const { loop, state } = counted(() => 1);
  loop.request();
  loop.stop();
  loop.request();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(state.runs, 0);
});
