import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import { prefix } from "../net/prefix.ts";
import { formatRange, rangeOf } from "../net/range.ts";
import { makePool, poolUsable } from "./pool.ts";

const ranges = (cidr: string, ...reserved: readonly [string, string][]) =>
  makePool(
    "p",
    prefix(cidr),
    reserved.map(([a, b]) => rangeOf(addr(a), addr(b))),
  ).ranges.map(formatRange);

const CASES: readonly [cidr: string, ranges: readonly string[]][] = [
  ["10.244.1.0/24", ["10.244.1.2-10.244.1.254"]],
  ["10.244.1.0/30", ["10.244.1.2"]],
  ["10.244.1.0/31", []],
  ["10.244.1.4/32", []],
  ["fd00:10:244:1::/64", ["fd00:10:244:1::2-fd00:10:244:1:ffff:ffff:ffff:ffff"]],
  ["fd00::/127", []],
];

for (const [cidr, want] of CASES)
  test(`usable in ${cidr}: ${want.join(", ") || "nothing"}`, () => {
    assert.deepEqual(ranges(cidr), want);
  });

test("reserved ranges are holes, also at the ends and across them", () => {
  assert.deepEqual(
    ranges("10.0.0.0/24", ["10.0.0.0", "10.0.0.9"], ["10.0.0.20", "10.0.0.20"], ["10.0.0.250", "10.0.1.9"]),
    ["10.0.0.10-10.0.0.19", "10.0.0.21-10.0.0.249"],
  );
});

test("counts are whole", () => {
  assert.equal(poolUsable(makePool("p", prefix("10.244.1.0/24"))), 253n);
  assert.equal(poolUsable(makePool("p", prefix("fd00::/64"))), (1n << 64n) - 2n);
});
