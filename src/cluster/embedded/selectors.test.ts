import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError } from "./api-error.ts";
import { parseFieldSelector } from "./field-selector.ts";
import { formatLabelSelector, parseLabelSelector } from "./label-selector.ts";
import { createRegistry } from "./registry.ts";
import type { KubeObject } from "./types.ts";

const withLabels = (labels: Record<string, string>) =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", uid: "", resourceVersion: "", creationTimestamp: "", labels },
  }) as KubeObject;

const object = withLabels({ app: "web", tier: "front", n: "7", "example.com/x": "" });

for (const [selector, expected] of [
  ["", true],
  ["app=web", true],
  ["app==web,tier=front", true],
  ["app=web,tier=back", false],
  ["app!=web", false],
  ["missing!=web", true],
  ["app in (web, db)", true],
  ["app in (db)", false],
  ["app notin (db)", true],
  ["missing notin (db)", true],
  ["app", true],
  ["missing", false],
  ["!missing", true],
  ["! app", false],
  ["n>6", true],
  ["n<7", false],
  ["app>6", false],
  ["example.com/x", true],
  ["example.com/x=", true],
  ["app=", false],
  ["tier in (front),app in (web,db),!z", true],
] as const)
  test(`label selector ${JSON.stringify(selector)} is ${expected}`, () =>
    assert.equal(parseLabelSelector(selector)(object), expected));

for (const selector of ["a=b=c", "-a=b", "a=-", "a in b", "a in (", "=x", "n>x", "a b", "x/y/z=1"])
  test(`label selector ${JSON.stringify(selector)} is refused`, () =>
    assert.throws(
      () => parseLabelSelector(selector),
      (e) => e instanceof ApiError && e.httpStatus === 400,
    ));

test("matchLabels and matchExpressions say the same in query form", () => {
  const text = formatLabelSelector({
    matchLabels: { app: "web" },
    matchExpressions: [
      { key: "tier", operator: "In", values: ["front", "back"] },
      { key: "z", operator: "DoesNotExist" },
      { key: "n", operator: "Exists" },
      { key: "n", operator: "NotIn", values: ["8"] },
    ],
  });
  assert.equal(text, "app=web,tier in (front,back),!z,n,n notin (8)");
  assert.equal(parseLabelSelector(text)(object), true);
});

test("any text either selects or is refused as a bad request", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseLabelSelector(text)(object);
      } catch (e) {
        assert.ok(e instanceof ApiError && e.httpStatus === 400, String(e));
      }
    }),
  );
});

test("field selectors: names everywhere, others where a kind has them", () => {
  const registry = createRegistry();
  const pods = registry.byKind("v1", "Pod");
  const maps = registry.byKind("v1", "ConfigMap");
  assert.ok(pods && maps);
  const pod = { ...object, spec: { nodeName: "n1" }, status: { phase: "Running" } } as KubeObject;
  for (const [selector, expected] of [
    ["spec.nodeName=n1", true],
    ["spec.nodeName=n1,status.phase!=Running", false],
    ["metadata.name==p,status.phase!=Failed", true],
    ["spec.hostNetwork=false", true],
    ["status.podIP=", true],
  ] as const)
    assert.equal(parseFieldSelector(pods, selector)(pod), expected, selector);
  assert.equal(parseFieldSelector(maps, "metadata.name=p")(object), true);
  for (const bad of ["spec.nodeName=n1", "metadata.name", "x"])
    assert.throws(
      () => parseFieldSelector(maps, bad),
      (e) => e instanceof ApiError && e.httpStatus === 400,
      bad,
    );
});
