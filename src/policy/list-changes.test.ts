import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { listChanges, noteListChanges } from "./list-changes.ts";

test("what was added and removed is what sets say, in the lists' order", () => {
  const list = fc.uniqueArray(fc.nat(12));
  fc.assert(
    fc.property(list, list, (before, after) => {
      assert.deepEqual(listChanges(before, after), {
        added: after.filter((x) => !before.includes(x)),
        removed: before.filter((x) => !after.includes(x)),
      });
    }),
  );
});

test("what is noted about two lists is not compared, and of other lists nothing is noted", () => {
  const [first, second, third] = [["a"], ["a", "b"], ["b"]];
  const noted = { added: ["b"], removed: [] };
  noteListChanges(first, second, noted);
  assert.equal(listChanges(first, second), noted);
  noteListChanges(second, third, { added: [], removed: ["a"] });
  assert.deepEqual(listChanges(first, third), { added: ["b"], removed: ["a"] });
  assert.deepEqual(listChanges(first, second), noted, "compared, since nobody remembers");
  assert.notEqual(listChanges(first, second), noted);
});
