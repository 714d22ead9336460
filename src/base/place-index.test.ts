import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PlaceIndex } from "./place-index.ts";

test("an index behaves as a Map from numbers to places, also where numbers begin at one slot", () => {
  // Few low bits, so that many stand behind each other; the highest one is the sign.
  const number = fc.tuple(fc.nat(3), fc.nat(40)).map(([low, high]) => ((high << 26) | low | 0) >> 0);
  fc.assert(
    fc.property(fc.array(fc.record({ number, isAdded: fc.boolean() }), { maxLength: 300 }), (steps) => {
      const column: number[] = [];
      const model = new Map<number, number>();
      const index = new PlaceIndex((place) => column[place] as number);
      for (const { number: n, isAdded } of steps) {
        if (!isAdded) {
          model.delete(n);
          index.delete(n);
        } else if (!model.has(n)) {
          model.set(n, column.push(n) - 1);
          index.add(column.length - 1);
        }
        assert.equal(index.size, model.size);
      }
      for (const n of new Set(steps.map((s) => s.number))) assert.equal(index.placeOf(n), model.get(n) ?? -1);
    }),
  );
});

test("a million additions and deletions leave room for as many as there were at once", () => {
  const column = new Int32Array(1000);
  const index = new PlaceIndex((place) => column[place] as number);
  for (let i = 0; i < 1_000_000; i++) {
    const place = i % column.length;
    if (i >= column.length) index.delete(column[place] as number);
    column[place] = Math.imul(i, 0x9e3779b1);
    index.add(place);
  }
  assert.equal(index.size, column.length);
  for (const [place, number] of column.entries()) assert.equal(index.placeOf(number), place);
});
