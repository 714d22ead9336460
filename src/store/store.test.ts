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
  assert.deepEqual(store.changesSince(1), [{ table: "things", key: "a", before: 1, after: undefined, revision: 2 }]);
});

test("changes of the log lead from any remembered snapshot to the last one", () => {
  const op = fc.record({ key: fc.constantFrom("a", "b", "c", "d"), row: fc.option(fc.nat(5), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 40 }), (batches) => {
      const store = createStore<Rows>(["things", "names"], { maxLogEntries: 8 });
      const seen = [store.snapshot()];
      for (const batch of batches) seen.push(store.transact({ things: batch }));
      for (const old of seen) {
        const changes = store.changesSince(old.revision);
        if (changes === undefined) continue;
        const replayed = changes.reduce(
          (t, c) => (c.table === "things" ? t.with([{ key: c.key, row: c.after }]) : t),
          old.tables.things,
        );
        assert.deepEqual(new Map(replayed.entries()), new Map(store.snapshot().tables.things.entries()));
      }
      assert.notEqual(store.changesSince(store.snapshot().revision), undefined);
    }),
  );
});

test("who is too far behind is told so, and the log stays bounded", () => {
  const store = createStore<Rows>(["things"], { maxLogEntries: 10 });
  for (let i = 1; i <= 1000; i++) store.transact({ things: [{ key: "a", row: i }] });
  assert.equal(store.changesSince(0), undefined);
  assert.equal(store.changesSince(1001), undefined, "a revision of the future is of another store");
  const known = store.changesSince(995);
  assert.equal(known?.length, 5);
});
