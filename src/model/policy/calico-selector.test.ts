import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unwrap } from "../../base/result.ts";
import { type CalicoSelector, calicoSelectorText, MAX_SELECTOR_DEPTH, parseCalicoSelector } from "./calico-selector.ts";

const app: CalicoSelector = { op: "==", key: "app", value: "web" };
const zone: CalicoSelector = { op: "has", key: "zone" };

const PARSED: readonly (readonly [string, CalicoSelector])[] = [
  ["", { op: "all" }],
  ["  \t", { op: "all" }],
  ["all()", { op: "all" }],
  ["all( )", { op: "all" }],
  ["global()", { op: "global" }],
  ["has(zone)", zone],
  [" has( zone ) ", zone],
  ["app == 'web'", app],
  ['app=="web"', app],
  ['app == "it\'s"', { op: "==", key: "app", value: "it's" }],
  ['app == ""', { op: "==", key: "app", value: "" }],
  ["app != 'a\\'", { op: "!=", key: "app", value: "a\\" }],
  ["a.b/c-d_e != 'x'", { op: "!=", key: "a.b/c-d_e", value: "x" }],
  ["app in {'a', \"b\"}", { op: "in", key: "app", values: ["a", "b"] }],
  ["app in{}", { op: "in", key: "app", values: [] }],
  ["app not  in { 'a' }", { op: "not in", key: "app", values: ["a"] }],
  ["app contains 'e'", { op: "contains", key: "app", value: "e" }],
  ["app starts  with 'w'", { op: "starts with", key: "app", value: "w" }],
  ["app ends with 'b'", { op: "ends with", key: "app", value: "b" }],
  ["app startswith 'w'", { op: "starts with", key: "app", value: "w" }],
  ["app endswith'b'", { op: "ends with", key: "app", value: "b" }],
  ["app notin{'a'}", { op: "not in", key: "app", values: ["a"] }],
  ["app in {'a', 'b' , }", { op: "in", key: "app", values: ["a", "b"] }],
  ["in in {'in'}", { op: "in", key: "in", values: ["in"] }],
  ["contains contains 'contains'", { op: "contains", key: "contains", value: "contains" }],
  ["has == 'x'", { op: "==", key: "has", value: "x" }],
  ["!has(zone)", { op: "!", of: zone }],
  ["!!has(zone)", { op: "!", of: { op: "!", of: zone } }],
  ["! app == 'web'", { op: "!", of: app }],
  ["app == 'web' && has(zone) || all()", { op: "||", of: [{ op: "&&", of: [app, zone] }, { op: "all" }] }],
  ["all() || app == 'web' && has(zone)", { op: "||", of: [{ op: "all" }, { op: "&&", of: [app, zone] }] }],
  ["app == 'web' && (has(zone) || all())", { op: "&&", of: [app, { op: "||", of: [zone, { op: "all" }] }] }],
];

for (const [text, selector] of PARSED)
  test(`parseCalicoSelector() reads ${JSON.stringify(text)}`, () =>
    assert.deepEqual(parseCalicoSelector(text), { ok: true, value: selector }));

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["app", /^Expected ==, .* at character 4, found the end$/],
  ["app = 'x'", /at character 5, found "= 'x'"$/],
  ["app == web", /^Expected a value in quotes at character 8, found "web"$/],
  ["app == 'web", /^The value has no closing quote at character 8/],
  ["app == 'a' &&", /^Expected a label key.* at character 14, found the end$/],
  ["app == 'a' & has(b)", /^Expected &&, \|\| or the end at character 12/],
  ["app == 'a' has(b)", /^Expected &&, \|\| or the end at character 12/],
  ["(app == 'a'", /^Expected "\)" at character 12/],
  ["app == 'a')", /at character 11, found "\)"$/],
  ["has()", /^Expected a label key at character 5/],
  ["any()", /^There is no function "any": known are .* at character 1/],
  ["all(x)", /^Expected "\)" at character 5/],
  ["app in ('a')", /at character 5/],
  ["app in {'a' 'b'}", /^Expected "}" at character 13/],
  ["app in {,}", /^Expected a value in quotes at character 9/],
  ["app in {'a',,}", /^Expected a value in quotes at character 13/],
  ["app containsx 'a'", /at character 5/],
  ["ä == 'a'", /at character 1/],
  [`${"(".repeat(200)}all()${")".repeat(200)}`, /^Nested deeper than 32 at character 33/],
  [`${"!".repeat(500)}all()`, /^Nested deeper than 32 at character 33/],
  [`app == '${"a".repeat(1024)}'`, /^1033 characters: a selector has at most 1024$/],
];

for (const [text, message] of REFUSED)
  test(`parseCalicoSelector() refuses ${JSON.stringify(text.slice(0, 40))} with what and where`, () => {
    const parsed = parseCalicoSelector(text);
    assert.ok(!parsed.ok);
    assert.match(parsed.error, message);
  });

const key = fc.stringMatching(/^[A-Za-z0-9_./-]{1,8}$/);
const value = fc.stringMatching(/^[^"']{0,6}'?$/);
const { selector } = fc.letrec<{ selector: CalicoSelector }>((tie) => ({
  selector: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ op: fc.constantFrom("all" as const, "global" as const) }),
    fc.record({ op: fc.constant("has" as const), key }),
    fc.record({
      op: fc.constantFrom(
        "==" as const,
        "!=" as const,
        "contains" as const,
        "starts with" as const,
        "ends with" as const,
      ),
      key,
      value,
    }),
    fc.record({
      op: fc.constantFrom("in" as const, "not in" as const),
      key,
      values: fc.array(value, { maxLength: 3 }),
    }),
    fc.record({ op: fc.constant("!" as const), of: tie("selector") }),
    fc.record({
      op: fc.constantFrom("&&" as const, "||" as const),
      of: fc.array(tie("selector"), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

test("any selector survives being printed and parsed", () => {
  fc.assert(
    fc.property(selector, (s) => {
      const text = calicoSelectorText(s);
      fc.pre(text.length <= 1024);
      // The generator makes objects without a prototype.
      assert.deepEqual(unwrap(parseCalicoSelector(text)), structuredClone(s));
    }),
    { numRuns: 500 },
  );
});

test("no text makes the parser throw or nest beyond its bound", () => {
  const pieces = fc.constantFrom(
    "(",
    ")",
    "!",
    "&&",
    "||",
    "has(",
    "a",
    " ",
    "==",
    "'",
    '"',
    "in",
    "{",
    "}",
    ",",
    "all()",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (p) => {
      const parsed = parseCalicoSelector(p.join(""));
      const depth = (s: CalicoSelector): number =>
        "of" in s ? 1 + Math.max(...(Array.isArray(s.of) ? s.of : [s.of as CalicoSelector]).map(depth)) : 0;
      if (parsed.ok) assert.ok(depth(parsed.value) <= 2 * MAX_SELECTOR_DEPTH);
      else assert.match(parsed.error, / at character \d+, found /);
    }),
    { numRuns: 500 },
  );
});
