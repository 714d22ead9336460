import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createStore } from "./store.ts";
import { emptyTable, tableFrom } from "./table.ts";

interface Rows {
  readonly things: number;
  readonly names: string;
}

test("a change leaves the earlier table as it was", () => {
  const a = tableFrom([1, 2, 3], (n) => `k${n}`);
  const b = a.with([
    { key: "k1", row: undefined },
    { key: "k4", row: 4 },
  ]);
  assert.deepEqual([...a].sort(), [1, 2, 3]);
  assert.deepEqual([...b].sort(), [2, 3, 4]);
  assert.equal(a.size, 3);
  assert.equal(b.size, 3);
  assert.equal(b.with([{ key: "k4", row: 4 }]), b, "a change without effect gives the same table");
});

test("what is different between two tables is what was changed, and makes one of the other", () => {
  const change = fc.record({ key: fc.string({ maxLength: 2 }), row: fc.option(fc.nat(3), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(change), fc.array(change), (first, second) => {
      const before = emptyTable<number>().with(first);
      const after = before.with(second);
      const found = [...after.changesSince(before)];
      for (const { key, before: was, after: is } of found) {
        assert.equal(was, before.get(key));
        assert.equal(is, after.get(key));
        assert.notEqual(was, is);
      }
      const again = before.with(found.map(({ key, after: row }) => ({ key, row })));
      assert.deepEqual(new Map(again.entries()), new Map(after.entries()));
      assert.deepEqual(
        new Map([...after.changesSince(undefined)].map((d) => [d.key, d.after])),
        new Map(after.entries()),
      );
    }),
  );
});

test("a table behaves as a Map", () => {
  const change = fc.record({ key: fc.string({ maxLength: 3 }), row: fc.option(fc.nat(9), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(fc.array(change)), (batches) => {
      const model = new Map<string, number>();
      let table = emptyTable<number>();
      for (const batch of batches) {
        table = table.with(batch);
        for (const { key, row } of batch) row === undefined ? model.delete(key) : model.set(key, row);
      }
      assert.equal(table.size, model.size);
      assert.deepEqual(new Map(table.entries()), model);
      assert.deepEqual([...table.keys()].sort(), [...model.keys()].sort());
    }),
  );
});

test("one transaction over two tables is one revision and one call", () => {
  const store = createStore<Rows>(["things", "names"]);
  let calls = 0;
  const stop = store.onChange(() => calls++);
  store.transact({ things: [{ key: "a", row: 1 }], names: [{ key: "a", row: "A" }] });
  assert.equal(store.snapshot().revision, 1);
  assert.equal(calls, 1);
  store.transact({ things: [{ key: "a", row: 1 }] });
  assert.equal(store.snapshot().revision, 1, "nothing differs, nothing happens");
  assert.equal(calls, 1);
  stop();
  store.transact({ things: [{ key: "a", row: undefined }] });
  assert.equal(calls, 1);
});
