import assert from "node:assert/strict";
import { test } from "node:test";
import { allLabels, type LabelExpr, labelExprText, matchesLabels } from "./label-expr.ts";

const web = new Map([
  ["app", "web"],
  ["tier", ""],
]);
const app: LabelExpr = { kind: "in", key: "app", values: ["web"] };
const zone: LabelExpr = { kind: "in", key: "zone", values: ["a", "b"] };

const CASES: readonly (readonly [LabelExpr, boolean, string])[] = [
  [{ kind: "all" }, true, "all()"],
  [{ kind: "none" }, false, "!all()"],
  [app, true, 'app == "web"'],
  [zone, false, 'zone in {"a", "b"}'],
  [{ kind: "not", of: zone }, true, '!(zone in {"a", "b"})'],
  [{ kind: "has", key: "tier" }, true, "has(tier)"],
  [{ kind: "has", key: "zone" }, false, "has(zone)"],
  [{ kind: "in", key: "tier", values: [""] }, true, 'tier == ""'],
  [{ kind: "contains", key: "app", text: "e" }, true, 'app contains "e"'],
  [{ kind: "contains", key: "zone", text: "" }, false, 'zone contains ""'],
  [{ kind: "starts-with", key: "app", text: "we" }, true, 'app starts with "we"'],
  [{ kind: "ends-with", key: "app", text: "we" }, false, 'app ends with "we"'],
  [{ kind: "and", of: [app, { kind: "not", of: zone }] }, true, '(app == "web" && !(zone in {"a", "b"}))'],
  [{ kind: "or", of: [zone, app] }, true, '(zone in {"a", "b"} || app == "web")'],
  [{ kind: "and", of: [] }, true, "()"],
  [{ kind: "or", of: [] }, false, "()"],
];

for (const [expr, expected, text] of CASES) {
  test(`matchesLabels() says ${expected} to ${text}`, () => {
    assert.equal(matchesLabels(expr, web), expected);
    assert.equal(labelExprText(expr), text);
  });
}

test("allLabels() drops what is always true and gives up on what never is", () => {
  assert.deepEqual(allLabels([]), { kind: "all" });
  assert.deepEqual(allLabels([{ kind: "all" }, app]), app);
  assert.deepEqual(allLabels([app, { kind: "none" }]), { kind: "none" });
  assert.deepEqual(allLabels([app, zone]), { kind: "and", of: [app, zone] });
});
