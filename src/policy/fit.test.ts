import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fitOf, type Piece } from "./fit.ts";

/** Longest prefix match. */
function valueAt<V>(prefixes: readonly { bits: number; length: number; value: V }[], n: number, otherwise: V): V {
  const hits = prefixes.filter((p) => n >> (16 - p.length) === p.bits >> (16 - p.length));
  return hits.sort((a, b) => b.length - a.length)[0]?.value ?? otherwise;
}

const CASES: readonly (readonly [string, readonly Piece<string>[], readonly string[]])[] = [
  ["one value everywhere", [{ first: 0, value: "deny" }], []],
  ["another value everywhere", [{ first: 0, value: "allow" }], ["0/0 allow"]],
  ["one port", port(80, 80), ["80/16 allow"]],
  ["a range that is a prefix", port(8080, 8095), ["8080/12 allow"]],
  ["all but port 0", port(1, 65535), ["0/0 allow", "0/16 deny"]],
  ["a range with a ragged end", port(80, 82), ["80/14 allow", "83/16 deny"]],
];

function port(first: number, last: number): Piece<string>[] {
  const pieces = [
    { first: 0, value: "deny" },
    { first, value: "allow" },
  ];
  return last === 65535 ? pieces : [...pieces, { first: last + 1, value: "deny" }];
}

for (const [name, pieces, expected] of CASES)
  test(`fitOf() needs the fewest prefixes for ${name}`, () =>
    assert.deepEqual(
      fitOf(pieces)
        .prefixes("deny")
        .map((p) => `${p.bits}/${p.length} ${p.value}`),
      expected,
    ));

test("the worst range takes fewer prefixes than splitting it would", () => {
  const fitted = fitOf(port(1, 65534)).prefixes("deny");
  assert.ok(fitted.length <= 3, `${fitted.length} prefixes`);
});

test("fitOf() says what the pieces say", () => {
  const pieces = fc
    .uniqueArray(fc.integer({ min: 1, max: 65535 }), { maxLength: 12 })
    .chain((cuts) =>
      fc
        .array(fc.constantFrom("a", "b", "c"), { minLength: cuts.length + 1, maxLength: cuts.length + 1 })
        .map((values) =>
          [0, ...cuts.sort((a, b) => a - b)].map((first, i): Piece<string> => ({ first, value: values[i] ?? "a" })),
        ),
    );
  fc.assert(
    fc.property(pieces, fc.constantFrom("a", "d"), (all, inherited) => {
      const fitted = fitOf(all).prefixes(inherited);
      for (const piece of all)
        for (const n of [piece.first, piece.first - 1, piece.first + 1].filter((x) => x >= 0 && x <= 65535)) {
          const expected = all.findLast((p) => p.first <= n)?.value;
          assert.equal(valueAt(fitted, n, inherited), expected, `at ${n}`);
        }
    }),
    { numRuns: 200 },
  );
});
