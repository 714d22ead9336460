import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesSelector } from "./match-labels.ts";
import { SELECT_ALL, type SelectorOperator } from "./policy/label-selector.ts";

const LABELS = new Map([
  ["rack", "a"],
  ["gpu", ""],
]);

const CASES: readonly (readonly [
  key: string,
  operator: SelectorOperator,
  values: readonly string[],
  expected: boolean,
])[] = [
  ["rack", "In", ["a", "b"], true],
  ["rack", "In", ["b"], false],
  ["none", "In", [""], false],
  ["rack", "NotIn", ["b"], true],
  ["rack", "NotIn", ["a"], false],
  ["none", "NotIn", ["a"], true],
  ["gpu", "Exists", [], true],
  ["none", "Exists", [], false],
  ["gpu", "DoesNotExist", [], false],
  ["none", "DoesNotExist", [], true],
];

for (const [key, operator, values, expected] of CASES)
  test(`${key} ${operator} ${values.join()}`, () =>
    assert.equal(matchesSelector({ ...SELECT_ALL, matchExpressions: [{ key, operator, values }] }, LABELS), expected));

test("everything must hold, and nothing selects everything", () => {
  const gpu = { key: "gpu", operator: "Exists", values: [] } as const;
  assert.ok(matchesSelector(SELECT_ALL, new Map()));
  assert.ok(matchesSelector({ matchLabels: new Map([["rack", "a"]]), matchExpressions: [gpu] }, LABELS));
  assert.ok(!matchesSelector({ matchLabels: new Map([["rack", "b"]]), matchExpressions: [gpu] }, LABELS));
  assert.ok(!matchesSelector({ matchLabels: new Map([["none", ""]]), matchExpressions: [] }, LABELS));
});
