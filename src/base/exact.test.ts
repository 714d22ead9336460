import assert from "node:assert/strict";
import { test } from "node:test";
import { exact } from "./exact.ts";

test("a list of its own with the same members", () => {
  const list = [1, 2];
  const kept = exact(list);
  list.push(3);
  assert.deepEqual(kept, [1, 2]);
});
