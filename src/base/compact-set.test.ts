import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CompactSet } from "./compact-set.ts";

const OBJECTS = Array.from({ length: 80 }, (_, i) => ({ i }));

test("it behaves as a Set, small and large", () => {
  const op = fc.record({ isAdd: fc.integer({ max: 2, min: 0 }).map((n) => n > 0), at: fc.nat(OBJECTS.length - 1) });
  fc.assert(
    fc.property(fc.array(op, { maxLength: 300 }), (ops) => {
      const set = new CompactSet<object>();
      const model = new Set<object>();
      for (const { isAdd, at } of ops) {
        const object = OBJECTS[at] as object;
        if (isAdd) {
          set.add(object);
          model.add(object);
        } else assert.equal(set.delete(object), model.delete(object));
        assert.equal(set.size, model.size);
      }
      assert.deepEqual(new Set(set), model);
    }),
  );
});

test("who goes through it sees what was there", () => {
  for (const count of [3, 50]) {
    const set = new CompactSet<object>();
    for (const object of OBJECTS.slice(0, count)) set.add(object);
    let seen = 0;
    for (const object of set) {
      set.delete(object);
      seen++;
    }
    assert.deepEqual([seen, set.size], [count, 0]);
  }
});
