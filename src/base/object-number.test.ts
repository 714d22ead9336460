import assert from "node:assert/strict";
import { test } from "node:test";
import { objectNumber } from "./object-number.ts";

test("an object has one number for ever, also one that nothing can be added to", () => {
  const late = {};
  const all: object[] = [{}, new Map(), [], Object.freeze({}), Object.freeze([]), late];
  const numbers = all.map(objectNumber);
  assert.equal(new Set(numbers).size, all.length);
  Object.freeze(late);
  assert.deepEqual(all.map(objectNumber), numbers);
});
