import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { listChanges } from "./list-changes.ts";

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
