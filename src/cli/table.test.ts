import assert from "node:assert/strict";
import { test } from "node:test";
import { shortNumber } from "./status-text.ts";
import { formatAge, formatShare, formatTable } from "./table.ts";

test("columns are as wide as their widest cell, styles take no room, lines end without spaces", () => {
  assert.equal(
    formatTable(
      ["A", "LONG", "C"],
      [
        ["\x1b[31mwide cell\x1b[0m", "b"],
        ["x", "y", "z"],
      ],
    ),
    "A          LONG  C\n\x1b[31mwide cell\x1b[0m  b\nx          y     z\n",
  );
});

test("ages, shares and large numbers are short", () => {
  assert.deepEqual([0, 119_000, 120_000, 7_199_000, 7_200_000, 172_800_000, -5].map(formatAge), [
    "0s",
    "119s",
    "2m",
    "119m",
    "2h",
    "2d",
    "0s",
  ]);
  assert.deepEqual(
    [formatShare(0, 10), formatShare(1, 1000), formatShare(999, 1000), formatShare(10, 10), formatShare(1, 0)],
    ["0%", "<1%", "99%", "100%", "-"],
  );
  assert.deepEqual(["253", "1048576", "18446744073709551614"].map(shortNumber), ["253", "1048576", "1.8e19"]);
});
