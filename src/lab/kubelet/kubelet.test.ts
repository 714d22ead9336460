import assert from "node:assert/strict";
import { test } from "node:test";
import { limiter } from "./kubelet.ts";

test("limiter() lets so many works run at once, in order, also after failures", async () => {
  const limit = limiter(2);
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const work = (i: number) => async () => {
    order.push(i);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (i % 3 === 0) throw new Error("no");
  };
  await Promise.allSettled([0, 1, 2, 3, 4, 5, 6].map((i) => limit(work(i))));
  assert.equal(most, 2);
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6]);
});
