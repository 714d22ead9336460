import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Joined, Pieces } from "./pieces.ts";

interface Item {
  readonly rank: number;
}
const compare = (a: Item, b: Item) => a.rank - b.rank;

/** What an array would be: behind those that are equal. */
function inserted(list: readonly Item[], item: Item): Item[] {
  const at = list.findIndex((x) => compare(x, item) > 0);
  return list.toSpliced(at < 0 ? list.length : at, 0, item);
}

test("a list in order is what an array would be, and what it was made of stays as it was", () => {
  const step = fc.record({ rank: fc.nat(20), isGone: fc.boolean(), at: fc.nat() });
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 600 }), fc.array(step, { maxLength: 60 }), (ranks, steps) => {
      let array: Item[] = ranks.map((rank) => ({ rank })).sort(compare);
      let list = Pieces.of(array);
      for (const { rank, isGone, at } of steps) {
        const before = list;
        const beforeArray = array;
        const gone = array[at % Math.max(1, array.length)];
        const item = isGone && gone !== undefined ? gone : { rank };
        const removes = item === gone;
        array = removes ? array.filter((x) => x !== item) : inserted(array, item);
        list = removes ? list.remove(item, compare) : list.insert(item, compare);
        assert.ok([...list].every((x, i) => x === array[i]) && list.length === array.length);
        assert.ok([...before].every((x, i) => x === beforeArray[i]) && before.length === beforeArray.length);
      }
    }),
    { numRuns: 100 },
  );
});

test("what is not in a list is not taken out of it: an equal one stays", () => {
  const list = Pieces.of(Array.from({ length: 400 }, (): Item => ({ rank: 1 })));
  assert.equal(list.remove({ rank: 1 }, compare), list);
  assert.equal(list.remove({ rank: 0 }, compare), list);
  assert.equal(list.minus({ rank: 1 }), list);
});

test("what comes without an order stands at the end, and goes wherever it is", () => {
  let list = Pieces.of<number>([]);
  for (let i = 0; i < 1000; i++) list = list.plus(i);
  assert.deepEqual(
    [...list],
    Array.from({ length: 1000 }, (_, i) => i),
  );
  for (let i = 0; i < 1000; i += 2) list = list.minus(i);
  assert.deepEqual(
    [...list],
    Array.from({ length: 500 }, (_, i) => 2 * i + 1),
  );
  for (const i of [...list]) list = list.minus(i);
  assert.deepEqual([...list.plus(7)], [7]);
});

test("joined lists are all of theirs, one after the other", () => {
  const joined = new Joined([[1, 2], Pieces.of([3]), []]);
  assert.deepEqual([...joined], [1, 2, 3]);
  assert.equal(joined.length, 3);
});
