import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ApiError } from "./api-error.ts";
import { isFields, jsonEqual } from "./fields.ts";
import { mergeSchemaOf } from "./merge-schema.ts";
import { jsonPatch } from "./patch-json.ts";
import { mergePatch } from "./patch-merge.ts";
import { strategicMerge } from "./patch-strategic.ts";
import { createRegistry } from "./registry.ts";

const json = () => fc.jsonValue({ maxDepth: 3 });
/** A value as it is after it went through JSON: no `-0`, no undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("merge patch", () => {
  // RFC 7386 appendix A.
  const cases: [unknown, unknown, unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases)
    test(`${JSON.stringify(target)} + ${JSON.stringify(patch)}`, () =>
      assert.deepEqual(mergePatch(target, patch), result));

  test("applying twice is applying once, and the target is left alone", () => {
    fc.assert(
      fc.property(json(), json(), (target, patch) => {
        const before = JSON.stringify(target);
        const once = mergePatch(target, patch);
        assert.ok(jsonEqual(mergePatch(once, patch), once));
        assert.equal(JSON.stringify(target), before);
      }),
    );
  });

  test("a member named __proto__ is a member", () => {
    const patched = mergePatch({}, JSON.parse('{"__proto__":{"x":1}}'));
    assert.equal(JSON.stringify(patched), '{"__proto__":{"x":1}}');
    assert.equal(({} as Record<string, unknown>)["x"], undefined);
  });
});

describe("JSON patch", () => {
  const op = (o: string, path: string, more: object = {}) => ({ op: o, path, ...more });
  const cases: [unknown, object[], unknown][] = [
    [{ foo: "bar" }, [op("add", "/baz", { value: "qux" })], { foo: "bar", baz: "qux" }],
    [{ foo: ["bar", "baz"] }, [op("add", "/foo/1", { value: "qux" })], { foo: ["bar", "qux", "baz"] }],
    [{ baz: "qux", foo: "bar" }, [op("remove", "/baz")], { foo: "bar" }],
    [{ foo: ["bar", "qux", "baz"] }, [op("remove", "/foo/1")], { foo: ["bar", "baz"] }],
    [{ baz: "qux" }, [op("replace", "/baz", { value: "boo" })], { baz: "boo" }],
    [
      { foo: { bar: "baz", waldo: "fred" }, qux: { corge: "grault" } },
      [op("move", "/qux/thud", { from: "/foo/waldo" })],
      { foo: { bar: "baz" }, qux: { corge: "grault", thud: "fred" } },
    ],
    [
      { foo: ["all", "grass", "cows", "eat"] },
      [op("move", "/foo/3", { from: "/foo/1" })],
      { foo: ["all", "cows", "eat", "grass"] },
    ],
    [
      { foo: "bar" },
      [op("test", "/foo", { value: "bar" }), op("add", "/child", { value: { grandchild: {} } })],
      { foo: "bar", child: { grandchild: {} } },
    ],
    [{ "/": 9, "~1": 10 }, [op("test", "/~01", { value: 10 }), op("remove", "/~1")], { "~1": 10 }],
    [{ foo: ["bar"] }, [op("add", "/foo/-", { value: ["abc", "def"] })], { foo: ["bar", ["abc", "def"]] }],
    [{ a: 1 }, [op("copy", "/b", { from: "/a" })], { a: 1, b: 1 }],
  ];
  for (const [target, patch, result] of cases)
    test(JSON.stringify(patch), () => assert.deepEqual(jsonPatch(target, patch), result));

  const refused: [unknown, unknown, number][] = [
    [{}, [op("remove", "/a")], 422],
    [{}, [op("add", "/a/b", { value: 1 })], 422],
    [{ a: 1 }, [op("test", "/a", { value: 2 })], 422],
    [{ a: [] }, [op("add", "/a/1", { value: 2 })], 422],
    [{ a: [1] }, [op("remove", "/a/01")], 422],
    [{}, [op("add", "a", { value: 2 })], 400],
    [{}, [op("frob", "/a")], 400],
    [{}, { op: "add" }, 400],
  ];
  for (const [target, patch, status] of refused)
    test(`${JSON.stringify(patch)} is refused with ${status}`, () =>
      assert.throws(
        () => jsonPatch(target, patch),
        (e) => e instanceof ApiError && e.httpStatus === status,
      ));

  test("what is added can be tested, and removing it gives what was before", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json()), fc.string(), json(), (object, key, value) => {
        fc.pre(!Object.hasOwn(object, key));
        const path = `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
        const added = jsonPatch(object, [op("add", path, { value }), op("test", path, { value })]);
        assert.ok(jsonEqual(jsonPatch(added, [op("remove", path)]), object));
      }),
    );
  });
});

describe("strategic merge patch", () => {
  const registry = createRegistry();
  const schemaOf = (apiVersion: string, kind: string) => {
    const r = registry.byKind(apiVersion, kind);
    assert.ok(r);
    return mergeSchemaOf(r);
  };
  const pod = schemaOf("v1", "Pod");
  const service = schemaOf("v1", "Service");
  const containers = (...list: object[]) => ({ spec: { containers: list } });

  const cases: [string, object, object, object][] = [
    [
      "items merge by their key",
      containers({ name: "a", image: "1" }, { name: "b" }),
      containers({ name: "a", image: "2" }),
      containers({ name: "a", image: "2" }, { name: "b" }),
    ],
    [
      "a new item is added",
      containers({ name: "a" }),
      containers({ name: "b" }),
      containers({ name: "a" }, { name: "b" }),
    ],
    [
      "an item is deleted",
      containers({ name: "a" }, { name: "b" }),
      containers({ name: "a", $patch: "delete" }),
      containers({ name: "b" }),
    ],
    [
      "a list is replaced",
      containers({ name: "a" }),
      containers({ name: "b" }, { $patch: "replace" }),
      containers({ name: "b" }),
    ],
    [
      "lists in items merge too",
      containers({ name: "a", env: [{ name: "X", value: "1" }] }),
      containers({ name: "a", env: [{ name: "Y", value: "2" }] }),
      containers({
        name: "a",
        env: [
          { name: "X", value: "1" },
          { name: "Y", value: "2" },
        ],
      }),
    ],
    [
      "a list without a key is replaced",
      { spec: { tolerations: [{ key: "a" }] } },
      { spec: { tolerations: [{ key: "b" }] } },
      { spec: { tolerations: [{ key: "b" }] } },
    ],
    [
      "sets unite",
      { metadata: { finalizers: ["a"] } },
      { metadata: { finalizers: ["b", "a"] } },
      { metadata: { finalizers: ["a", "b"] } },
    ],
    [
      "members of a set go",
      { metadata: { finalizers: ["a", "b"] } },
      { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } },
      { metadata: { finalizers: ["b"] } },
    ],
    [
      "null removes",
      { metadata: { labels: { a: "1", b: "2" } } },
      { metadata: { labels: { a: null } } },
      { metadata: { labels: { b: "2" } } },
    ],
    [
      "an object is replaced",
      { metadata: { labels: { a: "1" } } },
      { metadata: { labels: { $patch: "replace", b: "2" } } },
      { metadata: { labels: { b: "2" } } },
    ],
    [
      "order is set",
      containers({ name: "a" }, { name: "b" }),
      {
        spec: {
          "$setElementOrder/containers": [{ name: "b" }, { name: "a" }],
          containers: [{ name: "a", image: "x" }],
        },
      },
      containers({ name: "b" }, { name: "a", image: "x" }),
    ],
    [
      "other keys are retained or not",
      { spec: { strategy: { type: "A", rolling: {} } } },
      { spec: { strategy: { $retainKeys: ["type"], type: "B" } } },
      { spec: { strategy: { type: "B" } } },
    ],
  ];
  for (const [name, target, patch, result] of cases)
    test(name, () => assert.deepEqual(strategicMerge(target, patch, pod), result));

  test("conditions merge by type", () => {
    const of = (...conditions: object[]) => ({ status: { conditions } });
    const merged = strategicMerge(
      of({ type: "Ready", status: "True" }),
      of({ type: "NetworkUnavailable", status: "False" }),
      schemaOf("v1", "Node"),
    );
    assert.deepEqual(merged, of({ type: "Ready", status: "True" }, { type: "NetworkUnavailable", status: "False" }));
  });

  test("ports of a service merge by port", () => {
    const of = (...ports: object[]) => ({ spec: { ports } });
    const merged = strategicMerge(
      of({ port: 80, nodePort: 30000 }),
      of({ port: 80, name: "x" }, { port: 81 }),
      service,
    );
    assert.deepEqual(merged, of({ port: 80, nodePort: 30000, name: "x" }, { port: 81 }));
  });

  test("a patch without lists is a merge patch", () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
    const key = fc.string().filter((k) => !k.startsWith("$"));
    const object = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf)));
    fc.assert(
      fc.property(object, object, (target, patch) => {
        assert.deepEqual(plain(strategicMerge(target, patch, {})), plain(mergePatch(target, patch)));
      }),
    );
  });

  test("any patch of containers leaves names unique and is idempotent", () => {
    const item = fc.record(
      { name: fc.constantFrom("a", "b", "c"), image: fc.string(), $patch: fc.constantFrom("delete", "merge") },
      { requiredKeys: ["name"] },
    );
    const unique = fc.uniqueArray(item, { selector: (c) => c.name });
    fc.assert(
      fc.property(unique, unique, (have, patch) => {
        const target = containers(...have.map(({ name, image }) => ({ name, image })));
        const once = strategicMerge(target, containers(...patch), pod);
        assert.ok(isFields(once));
        const names = once["spec"].containers.map((c: { name: string }) => c.name);
        assert.equal(new Set(names).size, names.length);
        assert.deepEqual(strategicMerge(once, containers(...patch), pod), once);
      }),
    );
  });
});
