import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { eachRecord, recordBytes, viewOf } from "./records.ts";

/** As native/addon_rings.c writes them. */
function packed(records: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(records.reduce((n, r) => n + recordBytes(r.length), 0));
  let at = 0;
  for (const r of records) {
    viewOf(out).setUint32(at, r.length, true);
    out.set(r, at + 8);
    at += recordBytes(r.length);
  }
  return out;
}

test("records of any lengths come out as they went in, also from the middle of a buffer", () => {
  const records = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 });
  fc.assert(
    fc.property(records, fc.nat(16), (list, shift) => {
      const whole = new Uint8Array([...new Uint8Array(shift), ...packed(list)]);
      const bytes = whole.subarray(shift);
      const found: Uint8Array[] = [];
      assert.equal(
        eachRecord(viewOf(bytes), (at, n) => found.push(bytes.slice(at, at + n))),
        0,
      );
      assert.deepEqual(
        found,
        list.map((r) => Uint8Array.from(r)),
      );
    }),
  );
});

test("a cut record is told and not shown; any bytes come to an end", () => {
  const bytes = packed([Uint8Array.of(1, 2, 3), new Uint8Array(80)]);
  let shown = 0;
  assert.equal(
    eachRecord(viewOf(bytes.subarray(0, 60)), () => shown++),
    44,
  );
  assert.equal(shown, 1);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (b) => {
      let end = 0;
      const rest = eachRecord(viewOf(b), (at, n) => {
        assert.ok(at >= end && at + n <= b.length);
        end = at + n;
      });
      assert.ok(rest >= 0 && rest <= b.length);
    }),
  );
});
