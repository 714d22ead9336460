import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyTable, type Table } from "../store/table.ts";
import type { Policy } from "./rule.ts";
import { createRandom } from "./testing/random.ts";
import { createTranslation, type ObjectTable } from "./translated.ts";

interface Row {
  readonly name: string;
}

/** As many policies as the row's name has letters. */
function translate(row: Row, context: string): Policy[] {
  return Array.from(row.name, (letter) => ({ tier: context, ref: { name: row.name + letter } }) as unknown as Policy);
}

const names = (policies: Iterable<Policy>) => Array.from(policies, (p) => `${p.tier} ${p.ref.name}`).sort();

for (const canTell of [true, false])
  test(`a table ${canTell ? "that says what is different" : "that does not"} is translated once, and as if it were new`, () => {
    const r = createRandom(3);
    let calls = 0;
    const translation = createTranslation((row: Row, context: string) => {
      calls++;
      return translate(row, context);
    });
    const seen = (table: Table<Row>): ObjectTable<Row> =>
      canTell
        ? table
        : { get: (key) => table.get(key), size: table.size, [Symbol.iterator]: () => table[Symbol.iterator]() };
    let table = emptyTable<Row>().with(
      Array.from({ length: 500 }, (_, i) => ({ key: `r${i}`, row: { name: `r${i}` } })),
    );
    translation(seen(table), "a");
    assert.equal(calls, 500);
    for (let step = 0; step < 60; step++) {
      const key = `r${r.below(520)}`;
      const row = r.oneIn(3) ? undefined : { name: key };
      const before: number = calls;
      table = table.with([{ key, row }]);
      const shown = seen(table);
      const policies = translation(shown, "a");
      assert.deepEqual(names(policies), names([...table].flatMap((x) => translate(x, "a"))));
      assert.equal(calls - before, row === undefined ? 0 : 1);
      assert.equal(translation(shown, "a"), policies);
    }
    const shown = seen(table);
    assert.deepEqual(names(translation(shown, "b")), names([...table].flatMap((x) => translate(x, "b"))));
  });
