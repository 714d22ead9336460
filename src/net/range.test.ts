import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addr, addrFromBigint, addrToBigint } from "./addr.ts";
import { prefix } from "./prefix.ts";
import { formatRange, rangeCovers, rangeHas, rangeOf, rangeOfPrefix, rangeSize, subtractRanges } from "./range.ts";

const r = (text: string) => {
  const [first = "", last = first] = text.split("-");
  return rangeOf(addr(first), addr(last));
};

test("a prefix as a range has both its ends", () => {
  assert.equal(formatRange(rangeOfPrefix(prefix("10.1.0.0/24"))), "10.1.0.0-10.1.0.255");
  assert.equal(formatRange(rangeOfPrefix(prefix("10.1.0.7/32"))), "10.1.0.7");
  assert.equal(formatRange(rangeOfPrefix(prefix("fd00::/64"))), "fd00::-fd00::ffff:ffff:ffff:ffff");
  assert.equal(rangeSize(rangeOfPrefix(prefix("::/0"))), 1n << 128n);
});

test("a range that is none is refused", () => {
  assert.throws(() => r("10.0.0.2-10.0.0.1"), RangeError);
  assert.throws(() => r("10.0.0.2-fd00::1"), RangeError);
});

test("holding goes by family and both ends", () => {
  assert.equal(rangeHas(r("10.0.0.1-10.0.0.3"), addr("10.0.0.3")), true);
  assert.equal(rangeHas(r("10.0.0.1-10.0.0.3"), addr("10.0.0.4")), false);
  assert.equal(rangeHas(r("::-ffff::"), addr("10.0.0.1")), false);
  assert.equal(rangeCovers(r("10.0.0.1-10.0.0.9"), r("10.0.0.1-10.0.0.9")), true);
  assert.equal(rangeCovers(r("10.0.0.1-10.0.0.9"), r("10.0.0.9-10.0.0.10")), false);
});

test("subtracting agrees with counting one by one", () => {
  const hole = fc.tuple(fc.nat(300), fc.nat(40)).map(([from, n]) => [from, Math.min(from + n, 300)] as const);
  fc.assert(
    fc.property(fc.array(hole, { maxLength: 8 }), fc.boolean(), (holes, six) => {
      const family = six ? 6 : 4;
      const at = (n: number) => addrFromBigint(family, BigInt(n));
      const left = subtractRanges(
        rangeOf(at(20), at(250)),
        holes.map(([a, b]) => rangeOf(at(a), at(b))),
      );
      const got: number[] = [];
      for (const part of left)
        for (let n = addrToBigint(part.first); n <= addrToBigint(part.last); n++) got.push(Number(n));
      const want: number[] = [];
      for (let n = 20; n <= 250; n++) if (!holes.some(([a, b]) => a <= n && n <= b)) want.push(n);
      assert.deepEqual(got, want);
    }),
  );
});

test("holes of the other family and none at all change nothing", () => {
  const whole = rangeOfPrefix(prefix("255.255.255.0/24"));
  assert.deepEqual(subtractRanges(whole, []), [whole]);
  assert.deepEqual(subtractRanges(whole, [r("::1-::2")]), [whole]);
  assert.deepEqual(subtractRanges(whole, [whole]), []);
});
