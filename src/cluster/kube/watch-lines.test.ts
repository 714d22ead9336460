import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLineSplitter } from "./watch-lines.ts";

test("however a text is cut into pieces, its lines come out whole", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme" })),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (lines, cuts) => {
        const wanted = lines.map((l) => l.replaceAll("\n", "")).filter((l) => l.trim() !== "");
        const bytes = Buffer.from(wanted.map((l) => `${l}\n`).join(""));
        const splitter = createLineSplitter();
        const got: string[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const to = at + (cuts[i % cuts.length] ?? 1);
          got.push(...splitter.push(bytes.subarray(at, to)));
          at = to;
        }
        assert.deepEqual(got, wanted);
      },
    ),
  );
});

test("a line without end is refused before it fills the memory", () => {
  const splitter = createLineSplitter(100);
  splitter.push(Buffer.alloc(60, 97));
  assert.throws(() => splitter.push(Buffer.alloc(60, 97)), RangeError);
});
