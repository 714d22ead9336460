import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

test("one alone at once, many as one when their time has come", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  const at: number[] = [];
  const pass = (ms: number) => {
    nowMs += ms;
    t.mock.timers.tick(ms);
  };
  using pace = new Pace(
    () => void at.push(nowMs),
    10,
    () => nowMs,
  );
  pace.request();
  assert.deepEqual(at, [0]);
  pass(4);
  for (let i = 0; i < 100; i++) pace.request();
  pass(5);
  assert.deepEqual(at, [0]);
  pass(1);
  assert.deepEqual(at, [0, 10]);
  pass(50);
  assert.deepEqual(at, [0, 10], "nothing was asked for");
  pace.request();
  assert.deepEqual(at, [0, 10, 60]);
});

test("the pause counts from the end of a call, and a call that throws has one too", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  let calls = 0;
  using pace = new Pace(
    () => {
      calls++;
      nowMs += 30;
      if (calls === 1) throw new Error("cannot");
    },
    10,
    () => nowMs,
  );
  assert.throws(() => pace.request(), /cannot/);
  pace.request();
  assert.equal(calls, 1);
  nowMs += 10;
  t.mock.timers.tick(10);
  assert.equal(calls, 2);
});

test("what is asked for and not done yet ends with it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let calls = 0;
  const pace = new Pace(
    () => void calls++,
    10,
    () => 0,
  );
  pace.request();
  pace.request();
  pace[Symbol.dispose]();
  t.mock.timers.tick(100);
  assert.equal(calls, 1);
});
