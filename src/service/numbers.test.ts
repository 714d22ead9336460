import assert from "node:assert/strict";
import { test } from "node:test";
import { hash32 } from "../base/hash.ts";
import { Numbers } from "./numbers.ts";

test("a name has the same number everywhere and always, and none is 0", () => {
  const [a, b] = [new Numbers(), new Numbers()];
  const names = Array.from({ length: 1000 }, (_, i) => `shop/web-${i}:80/6/4`);
  const numbers = names.map((n) => a.take(n));
  assert.deepEqual(
    names.toReversed().map((n) => b.take(n)),
    numbers.toReversed(),
  );
  assert.ok(!numbers.includes(0));
  assert.equal(new Set(numbers).size, 1000);
});

test("who collides takes the next hash, and who was found in the kernel keeps what it had", () => {
  const other = hash32("b", 0);
  const numbers = new Numbers();
  assert.equal(numbers.take("a", other), other);
  assert.equal(numbers.take("b"), hash32("b", 1));
  assert.equal(numbers.take("c", other), hash32("c", 0), "what is taken is not preferred");
});

test("a number is free after it was settled, and who takes its name again before keeps it", () => {
  const numbers = new Numbers();
  const a = numbers.take("a");
  numbers.release("a");
  assert.equal(numbers.take("b", a), hash32("b", 0));
  assert.equal(numbers.take("a"), a);
  numbers.settle();
  assert.equal(numbers.get("a"), a);
  numbers.release("a");
  numbers.settle();
  assert.equal(numbers.get("a"), undefined);
  assert.equal(numbers.take("c", a), a);
});

test("hashes of 100,000 addresses collide no more often than chance", () => {
  const seen = new Set<number>();
  for (let i = 0; i < 100_000; i++) seen.add(hash32(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080/6`));
  // n²/2³³ = 1.2 are to be expected.
  assert.ok(100_000 - seen.size <= 10, `${100_000 - seen.size} collisions`);
});
