import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { parseCalicoSelector } from "../model/policy/calico-selector.ts";
import {
  CALICO_NAMESPACE,
  calicoExpr,
  OF_NAMESPACE,
  OF_PEER_ACCOUNT,
  OF_SERVICE_ACCOUNT,
  type SelectorReading,
} from "./calico-selector.ts";
import { matchesLabels } from "./label-expr.ts";

const labels = new Map([
  [CALICO_NAMESPACE, "shop"],
  ["app", "web"],
  ["pcns.team", "a"],
  ["pcsa.role", "b"],
]);

const CASES: readonly (readonly [string, SelectorReading, boolean])[] = [
  ["", {}, true],
  ["global()", {}, true],
  ["app == 'web'", {}, true],
  ["app != 'web'", {}, false],
  ["zone != 'a'", {}, true],
  ["zone not in {'a'}", {}, true],
  ["zone in {'a'}", {}, false],
  ["app in {}", {}, false],
  ["app not in {}", {}, true],
  ["zone contains ''", {}, false],
  ["app contains 'e' && app starts with 'w' && app ends with 'b'", {}, true],
  ["!has(zone) && (zone == 'a' || has(app))", {}, true],
  ["team == 'a'", {}, false],
  ["team == 'a'", OF_NAMESPACE, true],
  ["role == 'b'", OF_SERVICE_ACCOUNT, true],
  ["all()", OF_NAMESPACE, true],
  ["!all()", OF_NAMESPACE, false],
  ["global()", OF_NAMESPACE, false],
  ["!global()", OF_NAMESPACE, true],
];

for (const [text, reading, expected] of CASES)
  test(`${JSON.stringify(text)} read with prefix "${reading.prefix ?? ""}" is ${expected}`, () =>
    assert.equal(matchesLabels(calicoExpr(unwrap(parseCalicoSelector(text)), reading), labels), expected));

test("all() and global() of namespaces tell what is in a namespace from what is not", () => {
  const nowhere = new Map([["app", "web"]]);
  const means = (text: string, reading: SelectorReading) =>
    matchesLabels(calicoExpr(unwrap(parseCalicoSelector(text)), reading), nowhere);
  assert.equal(means("all()", OF_NAMESPACE), false);
  assert.equal(means("global()", OF_NAMESPACE), true);
  assert.equal(means("!all()", OF_NAMESPACE), true);
  assert.equal(means("all()", OF_SERVICE_ACCOUNT), false);
  assert.equal(means("all()", OF_PEER_ACCOUNT), true);
});
