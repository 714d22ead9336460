import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "./backoff.ts";

test("pauses double up to the longest, whatever the count", () => {
  const b = { firstMs: 200, maxMs: 30_000 };
  assert.deepEqual(
    [0, 1, 2, 3, 8, 9, 1_000_000].map((n) => backoffMs(b, n)),
    [200, 200, 400, 800, 25_600, 30_000, 30_000],
  );
});
