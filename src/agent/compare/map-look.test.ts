import assert from "node:assert/strict";
import { test } from "node:test";
import { MapLook, type Mending } from "./map-look.ts";
import { Slices } from "./slices.ts";

function* mending(name: string, steps: number, found: number, done: string[]): Mending {
  for (let i = 0; i < steps; i++) {
    done.push(`${name}${i}`);
    yield;
  }
  return found;
}

test("one comparison after the other, a step at least each time, and what they find is counted", () => {
  const counts = { drifted: 0 };
  const ends: number[] = [];
  const look = new MapLook(counts, (ms) => ends.push(ms));
  const done: string[] = [];
  look.begin([mending("a", 2, 3, done), undefined, mending("b", 1, 4, done)]);
  assert.ok(look.isGoing);
  assert.ok(!look.step(() => true));
  assert.deepEqual(done, ["a0"]);
  assert.ok(look.step(() => false));
  assert.deepEqual(done, ["a0", "a1", "b0"]);
  assert.deepEqual([counts.drifted, ends.length, look.isGoing], [7, 1, false]);
  assert.ok(
    look.step(() => false),
    "nothing is left, and nothing happens",
  );
  assert.equal(ends.length, 1);
});

test("a look that begins anew leaves nothing of the one before", () => {
  const counts = { drifted: 0 };
  const look = new MapLook(counts, () => {});
  const done: string[] = [];
  look.begin([mending("a", 9, 1, done)]);
  look.step(() => true);
  look.begin([mending("b", 1, 1, done)]);
  look.step(() => false);
  assert.deepEqual([done, counts.drifted], [["a0", "b0"], 1]);
});

test("between two slices everything else gets its turn; two wishes are one", async () => {
  let slices = 0;
  let turns = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(() => turns++, 1);
  using work = new Slices((isTime) => {
    while (!isTime());
    if (++slices === 5) resolve();
    return slices >= 5;
  });
  work.begin();
  work.begin();
  await promise;
  clearInterval(timer);
  assert.equal(slices, 5);
  assert.ok(turns >= 4, `${turns} turns`);
});
