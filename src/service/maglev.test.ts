import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPrime, maglevTable } from "./maglev.ts";

const names = (count: number, net = "10.244.0") => Array.from({ length: count }, (_, i) => `${net}.${i}:8080/6`);

function shares(table: Uint32Array, count: number): number[] {
  const found = new Array<number>(count).fill(0);
  for (const i of table) found[i] = (found[i] ?? 0) + 1;
  return found;
}

test("every place is somebody's and everybody has about as many", () => {
  for (const [count, size] of [
    [1, 251],
    [3, 251],
    [100, 16381],
    [251, 251],
  ] as const) {
    const found = shares(maglevTable(names(count), size), count);
    assert.equal(
      found.reduce((a, b) => a + b),
      size,
    );
    // Turns are taken: nobody is more than one ahead.
    assert.ok(Math.max(...found) - Math.min(...found) <= 1, `${count} of ${size}: ${found}`);
  }
});

test("the order of the names changes nothing but their indices", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 20 }), (list) => {
      const turned = list.toReversed();
      const a = [...maglevTable(list, 251)].map((i) => list[i]);
      const b = [...maglevTable(turned, 251)].map((i) => turned[i]);
      assert.deepEqual(a, b);
    }),
  );
});

test("removing one of 100 moves at most 2 % of the other flows, with IPv4 and IPv6 names", () => {
  let worst = 0;
  for (const net of ["10.244.0", "[fd00:10:244:0:1::"]) {
    const all = names(100, net);
    const before = maglevTable(all, 16381);
    for (let gone = 0; gone < 100; gone += 7) {
      const left = all.filter((_, i) => i !== gone);
      const after = maglevTable(left, 16381);
      let moved = 0;
      for (const [place, i] of before.entries()) if (i !== gone && left[after[place] ?? 0] !== all[i]) moved++;
      const others = 16381 - (shares(before, 100)[gone] ?? 0);
      worst = Math.max(worst, moved / others);
    }
  }
  assert.ok(worst <= 0.02, `${(100 * worst).toFixed(2)} % moved`);
});

test("primes", () => {
  assert.deepEqual([1, 2, 4, 251, 16381, 65537, 16380, 2.5].map(isPrime), [
    false,
    true,
    false,
    true,
    true,
    true,
    false,
    false,
  ]);
});
