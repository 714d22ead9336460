import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addrFromBigint } from "../net/addr.ts";
import { BackendColumns, backendKey, backendNumber } from "./backend-columns.ts";

interface Model {
  readonly row: { readonly number: number; readonly port: number; readonly protocol: number };
  holders: number;
  sets: number;
}

test("columns behave as a Map of objects, whatever came and went before", () => {
  // Few of them, on both sides of the sign: places are used again and again.
  const number = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2 ** 32 - 40, max: 2 ** 32 - 1 }));
  const step = fc.record({
    number,
    what: fc.constantFrom("add", "delete", "hold", "drop", "in", "out"),
    port: fc.nat(65535),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const columns = new BackendColumns();
      const model = new Map<number, Model>();
      for (const { number: n, what, port } of steps) {
        const key = backendKey(n);
        const known = model.get(n);
        if (what === "add" && known === undefined) {
          columns.add(key, { addr: addrFromBigint(4, BigInt(n)), port, protocol: port & 255 });
          model.set(n, { row: { number: n, port, protocol: port & 255 }, holders: 0, sets: 0 });
        } else if (what === "delete") {
          columns.delete(key);
          model.delete(n);
        } else if (known !== undefined && (what === "hold" || (what === "drop" && known.holders > 0))) {
          known.holders += what === "hold" ? 1 : -1;
          assert.equal(columns.addHolders(key, what === "hold" ? 1 : -1), known.holders);
        } else if (known !== undefined && (what === "in" || (what === "out" && known.sets > 0))) {
          known.sets += what === "in" ? 1 : -1;
          assert.equal(columns.addSets(key, what === "in" ? 1 : -1), known.sets);
        }
      }
      assert.deepEqual([...columns.keys()].map(backendNumber).sort(), [...model.keys()].sort());
      for (const n of new Set(steps.map((s) => s.number))) {
        const [key, known] = [backendKey(n), model.get(n)];
        const row = known && { ...known.row, addr: addrFromBigint(4, BigInt(n)) };
        assert.deepEqual(columns.row(key), row);
        assert.equal(columns.has(key), known !== undefined);
        assert.deepEqual([columns.holders(key), columns.sets(key)], [known?.holders ?? 0, known?.sets ?? 0]);
      }
    }),
  );
});
