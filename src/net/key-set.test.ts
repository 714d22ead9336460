import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesKey } from "./bytes-key.ts";
import { KeySet } from "./key-set.ts";

test("a set of keys behaves as a Set of their texts", () => {
  const key = fc.uint8Array({ minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(key, { maxLength: 60 }), fc.array(key, { maxLength: 20 }), (added, asked) => {
      const set = new KeySet(3);
      const model = new Set<string>();
      for (const k of added) {
        set.add(k);
        model.add(bytesKey(k));
      }
      assert.equal(set.size, model.size);
      assert.deepEqual([...set.keys()].map(bytesKey), [...model]);
      for (const k of [...asked, ...added]) assert.equal(set.has(k), model.has(bytesKey(k)));
    }),
  );
});

test("it grows, and neighbours are no trouble", () => {
  const set = new KeySet(4);
  const keyOf = (i: number) => new Uint8Array(Uint32Array.of(i).buffer);
  for (let i = 0; i < 100_000; i++) set.add(keyOf(i));
  assert.equal(set.size, 100_000);
  for (let i = 0; i < 100_000; i += 7) assert.ok(set.has(keyOf(i)));
  assert.ok(!set.has(keyOf(100_000)));
  assert.equal(set.keys().next().value?.length, 4);
});

test("a key of another length is refused", () => {
  assert.throws(() => new KeySet(4).add(new Uint8Array(5)), /5 bytes, 4 are wanted/);
});
