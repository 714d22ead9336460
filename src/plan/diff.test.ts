import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { diffRows, type RowKind } from "./diff.ts";

interface Row {
  readonly key: string;
  readonly value: number;
}

const KIND: RowKind<Row, Row> = {
  desiredKey: (r) => r.key,
  observedKey: (r) => r.key,
  matches: (a, b) => a.value === b.value,
};

const rows = fc.array(fc.record({ key: fc.constantFrom<string>("a", "b", "c", "d", "e"), value: fc.nat(2) }));

test("applying the difference makes the observed the wanted; a second difference is empty", () => {
  fc.assert(
    fc.property(rows, rows, (desired, observed) => {
      const { put, remove, same } = diffRows(KIND, desired, observed);
      const state = new Map(observed.map((r) => [r.key, r.value]));
      for (const r of put) state.set(r.key, r.value);
      for (const r of remove) state.delete(r.key);
      assert.deepEqual(state, new Map(desired.map((r) => [r.key, r.value])));
      assert.equal(put.length + same.length, state.size);
      const after = Array.from(state, ([key, value]) => ({ key, value }));
      const again = diffRows(KIND, desired, after);
      assert.deepEqual([again.put, again.remove], [[], []]);
    }),
  );
});

test("order is the input's, and the later of two wishes counts", () => {
  const wanted = [
    { key: "b", value: 1 },
    { key: "a", value: 1 },
    { key: "b", value: 2 },
  ];
  assert.deepEqual(diffRows(KIND, wanted, []).put, [
    { key: "b", value: 2 },
    { key: "a", value: 1 },
  ]);
});
