import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textOfNumbers } from "./number-text.ts";

test("equal sets have equal texts, in whatever order they were made, and others have others", () => {
  const numbers = fc.uniqueArray(fc.nat(0xffff_ffff), { maxLength: 30 });
  fc.assert(
    fc.property(numbers, numbers, (a, b) => {
      assert.equal(textOfNumbers(new Set(a)), textOfNumbers(new Set([...a].reverse())));
      const isSame = new Set(a).symmetricDifference(new Set(b)).size === 0;
      assert.equal(textOfNumbers(new Set(a)) === textOfNumbers(new Set(b)), isSame);
    }),
  );
  const many = new Set(Array.from({ length: 20_000 }, (_, i) => i));
  assert.equal(textOfNumbers(many).length, 40_000);
});
