import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError } from "./api-error.ts";
import { createCore } from "./embedded-api.ts";
import { fromFieldsV1, leavesOf, toFieldsV1 } from "./field-set.ts";
import type { Fields } from "./fields.ts";
import type { KubeObject } from "./types.ts";

function setUp() {
  const { context } = createCore({}, "CA");
  const { operations, registry } = context;
  const r = registry.byKind("apps/v1", "Deployment");
  assert.ok(r);
  const write = (manager: string) =>
    ({ manager, dryRun: false, subresource: "", fieldValidation: "Warn", warn: () => {} }) as const;
  const apply = (manager: string, spec: object, force = false, metadata: object = {}) =>
    operations.apply(
      r,
      "default",
      "d",
      { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d", ...metadata }, spec },
      { ...write(manager), force },
    ).object;
  const update = (manager: string, change: (o: KubeObject) => unknown) =>
    operations.update(r, "default", "d", change, write(manager));
  return { apply, update };
}

const base = (containers: object[], more: object = {}) => ({
  selector: { matchLabels: { a: "b" } },
  template: { metadata: { labels: { a: "b" } }, spec: { containers } },
  ...more,
});
const images = (o: KubeObject) => o["spec"].template.spec.containers.map((c: Fields) => `${c["name"]}:${c["image"]}`);

test("the first apply creates, the next one changes and removes what it no longer names", () => {
  const { apply } = setUp();
  apply(
    "m",
    base(
      [
        { name: "a", image: "1" },
        { name: "b", image: "1" },
      ],
      { replicas: 2 },
    ),
  );
  const next = apply("m", base([{ name: "a", image: "2" }]));
  assert.deepEqual(images(next), ["a:2"]);
  assert.equal(next["spec"].replicas, 1, "back to the default");
});

test("a field of somebody else with another value is a conflict that names it, unless forced", () => {
  const { apply } = setUp();
  apply("one", base([{ name: "a", image: "1" }], { replicas: 2 }));
  assert.throws(
    () => apply("two", base([{ name: "a", image: "1" }], { replicas: 3 })),
    (e) => {
      assert.ok(e instanceof ApiError);
      assert.equal(e.httpStatus, 409);
      assert.deepEqual(e.details?.causes, [
        { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".spec.replicas" },
      ]);
      return true;
    },
  );
  const forced = apply("two", base([{ name: "a", image: "1" }], { replicas: 3 }), true);
  assert.equal(forced["spec"].replicas, 3);
  const again = apply("one", base([{ name: "a", image: "1" }]));
  assert.equal(again["spec"].replicas, 3, "one no longer owns it, so leaving it out changes nothing");
});

test("equal values are owned together, and stay until the last owner leaves", () => {
  const { apply } = setUp();
  apply("one", base([{ name: "a", image: "1" }], { replicas: 2 }));
  apply("two", base([{ name: "a", image: "1" }], { replicas: 2 }));
  assert.equal(apply("one", base([{ name: "a", image: "1" }]))["spec"].replicas, 2);
  assert.equal(apply("two", base([{ name: "a", image: "1" }]))["spec"].replicas, 1);
});

test("two managers each with an item of one list", () => {
  const { apply } = setUp();
  apply("one", base([{ name: "a", image: "1" }]));
  const both = apply("two", base([{ name: "b", image: "1" }]));
  assert.deepEqual(images(both), ["a:1", "b:1"]);
  const left = apply("two", base([{ name: "c", image: "1" }]));
  assert.deepEqual(images(left), ["a:1", "c:1"]);
});

test("an update takes ownership of what it changes", () => {
  const { apply, update } = setUp();
  apply("one", base([{ name: "a", image: "1" }], { replicas: 2 }));
  update("hand", (o) => ({ ...o, spec: { ...o["spec"], replicas: 5 } }));
  assert.throws(
    () => apply("one", base([{ name: "a", image: "1" }], { replicas: 2 })),
    /conflict with "hand" using apps\/v1: \.spec\.replicas/,
  );
});

test("finalizers are a set, and labels go one by one", () => {
  const { apply } = setUp();
  const spec = base([{ name: "a", image: "1" }]);
  apply("one", spec, false, { finalizers: ["x/1"], labels: { l1: "1" } });
  const both = apply("two", spec, false, { finalizers: ["x/2"], labels: { l2: "2" } });
  assert.deepEqual(both.metadata.finalizers, ["x/1", "x/2"]);
  const left = apply("one", spec);
  assert.deepEqual(left.metadata.finalizers, ["x/2"]);
  assert.deepEqual(left.metadata.labels, { l2: "2" });
});

test("applying the same again writes nothing", () => {
  const { apply } = setUp();
  const spec = base([{ name: "a", image: "1" }]);
  const first = apply("one", spec);
  assert.equal(apply("one", spec).metadata.resourceVersion, first.metadata.resourceVersion);
});

test("what is owned survives being written as FieldsV1 and read again", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (object) => {
      const set = new Set(leavesOf({ spec: object }, {}).keys());
      assert.deepEqual(fromFieldsV1(JSON.parse(JSON.stringify(toFieldsV1(set)))), set);
    }),
  );
});
