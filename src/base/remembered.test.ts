import assert from "node:assert/strict";
import { test } from "node:test";
import { remembered } from "./remembered.ts";

test("is made once for each object, cannot be seen, and is no part of a copy", () => {
  let made = 0;
  const textOf = remembered(({ name }: { readonly name: string }) => `${name} ${++made}`);
  const one = { name: "a" };
  assert.deepEqual([textOf(one), textOf(one), textOf({ name: "b" })], ["a 1", "a 1", "b 2"]);
  assert.deepEqual(one, { name: "a" });
  assert.equal(textOf({ ...one, name: "c" }), "c 3");
});

test("two texts of an object are two, and a frozen one has some, too", () => {
  const [upper, lower] = [remembered((o: { n: string }) => o.n.toUpperCase()), remembered((o: { n: string }) => o.n)];
  const one = Object.freeze({ n: "x" });
  assert.deepEqual([upper(one), lower(one), upper(one)], ["X", "x", "X"]);
});
