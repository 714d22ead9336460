import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryKeeper } from "./memory-keeper.ts";

function open(rss: number, rest: number, ms = 20) {
  const memory = { bytes: rss, compacted: 0 };
  const keeper = new MemoryKeeper({
    rss: () => memory.bytes,
    compact() {
      memory.compacted++;
      memory.bytes = rest;
      return ms;
    },
  });
  return { memory, keeper };
}

test("the first look gives back in any case", () => {
  const { keeper, memory } = open(400e6, 120e6);
  assert.deepEqual(keeper.look(0), { before: 400e6, after: 120e6, ms: 20 });
  assert.equal(memory.compacted, 1);
});

test("later ones only when much has come, and not one after the other", () => {
  const { keeper, memory } = open(400e6, 120e6);
  keeper.look(0);
  memory.bytes = 145e6;
  assert.equal(keeper.look(40_000), undefined, "a fifth more is no reason");
  memory.bytes = 300e6;
  assert.equal(keeper.look(29_000), undefined, "too soon");
  assert.deepEqual(keeper.look(31_000), { before: 300e6, after: 120e6, ms: 20 });
  memory.bytes = 300e6;
  assert.equal(keeper.look(60_000), undefined, "counted from the last time");
  assert.equal(memory.compacted, 2);
});

test("what took long is not done again soon: a thousandth of the time at most", () => {
  const { keeper, memory } = open(400e6, 120e6, 500);
  keeper.look(0);
  memory.bytes = 300e6;
  assert.equal(keeper.look(499_000), undefined);
  assert.notEqual(keeper.look(501_000), undefined);
});

test("a small agent is left alone for some megabytes", () => {
  const { keeper, memory } = open(70e6, 60e6);
  keeper.look(0);
  memory.bytes = 80e6;
  assert.equal(keeper.look(100_000), undefined, "a third more, but little");
});
