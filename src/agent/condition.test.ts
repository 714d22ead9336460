import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterError, type NodeCondition } from "../cluster/source.ts";
import { announceNetwork } from "./condition.ts";
import type { Log } from "./log.ts";

const LINES: string[] = [];
const LOG = { warn: (_fields: object, msg: string) => void LINES.push(msg) } as unknown as Log;

test("the condition is set once", async () => {
  const set: NodeCondition[] = [];
  await announceNetwork(
    { patchNodeConditions: async (_n, c) => void set.push(...c) },
    "n",
    LOG,
    new AbortController().signal,
  );
  assert.deepEqual(
    set.map((c) => [c.type, c.status, c.reason]),
    [["NetworkUnavailable", "False", "TwillIsUp"]],
  );
});

test("a directory that takes no writes is left alone, without a word", async () => {
  let tries = 0;
  const patchNodeConditions = async () => {
    tries++;
    throw new ClusterError("Cannot write to a directory", "ReadOnly", 0);
  };
  LINES.length = 0;
  await announceNetwork({ patchNodeConditions }, "n", LOG, new AbortController().signal);
  assert.deepEqual([tries, LINES.length], [1, 0]);
});

test("an API that fails is tried again, with pauses, until it works or the agent ends", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const ending = new AbortController();
  let tries = 0;
  const patchNodeConditions = async () => {
    tries++;
    throw new ClusterError("Cannot reach it", "Unreachable", 0);
  };
  const done = announceNetwork({ patchNodeConditions }, "n", LOG, ending.signal);
  const settled = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  await settled();
  assert.equal(tries, 1);
  for (const [ms, expected] of [
    [999, 1],
    [1, 2],
    [2000, 3],
    [4000, 4],
  ] as const) {
    t.mock.timers.tick(ms);
    await settled();
    assert.equal(tries, expected);
  }
  ending.abort();
  await done;
});
