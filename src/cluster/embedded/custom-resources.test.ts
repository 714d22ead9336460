import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "./api-error.ts";
import { compareVersions } from "./custom-resources.ts";
import { createCore } from "./embedded-api.ts";
import type { Fields } from "./fields.ts";
import { applyDefaults, type JsonSchema, prune, validateSchema } from "./schema.ts";
import { tableOf } from "./table.ts";
import type { NewObject } from "./types.ts";

const schema: JsonSchema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer", minimum: 1, maximum: 9 },
        mode: { type: "string", enum: ["fast", "slow"], default: "fast" },
        names: { type: "array", items: { type: "string", pattern: "^[a-z]+$" }, maxItems: 2 },
        port: { "x-kubernetes-int-or-string": true },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    },
    status: { type: "object", properties: { ready: { type: "boolean" } } },
  },
};

const definition = (): NewObject => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "things.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "things", kind: "Thing", shortNames: ["th"] },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {}, scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" } },
        additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
      },
    ],
  },
});
const thing = (spec: object, name = "t", apiVersion = "example.com/v1"): NewObject => ({
  apiVersion,
  kind: "Thing",
  metadata: { name, namespace: "default" },
  spec,
});

function setUp() {
  const { context } = createCore({}, "CA");
  context.objects.create(definition());
  return context;
}

test("a definition serves its kinds at once and is established", async () => {
  const { objects, registry } = setUp();
  assert.deepEqual(registry.groups().get("example.com"), ["v1", "v1alpha1"]);
  const made = objects.create(thing({ size: 3, free: { any: [1] } }));
  assert.deepEqual(made["spec"], { size: 3, mode: "fast", free: { any: [1] } });
  await new Promise(setImmediate);
  const crd = objects.get({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    name: "things.example.com",
  });
  assert.deepEqual(
    crd?.["status"].conditions.map((c: Fields) => `${c["type"]}=${c["status"]}`),
    ["NamesAccepted=True", "Established=True"],
  );
  assert.equal(crd?.["spec"].names.listKind, "ThingList");
});

test("all faults of an object are reported, unknown fields go or are refused", () => {
  const { objects, operations, registry } = setUp();
  assert.throws(
    () => objects.create(thing({ size: 12, mode: "odd", names: ["A", "b", "c"], port: true })),
    (e) => {
      assert.ok(e instanceof ApiError && e.httpStatus === 422);
      const fields = (e.details?.causes ?? []).map((c) => c.field);
      assert.deepEqual(fields.sort(), ["spec.mode", "spec.names", "spec.names[0]", "spec.port", "spec.size"]);
      return true;
    },
  );
  assert.deepEqual(objects.create(thing({ size: 1, extra: 2 }))["spec"], { size: 1, mode: "fast" });
  const r = registry.byKind("example.com/v1", "Thing");
  assert.ok(r);
  const strict = { manager: "t", dryRun: false, subresource: "", fieldValidation: "Strict", warn: () => {} } as const;
  assert.throws(
    () => operations.create(r, "default", thing({ size: 1, extra: 2 }, "u"), strict),
    /strict decoding error: unknown field "spec\.extra"/,
  );
});

test("status has its own path, and versions show the same object", () => {
  const { objects } = setUp();
  objects.create({ ...thing({ size: 1 }), status: { ready: true } });
  const ref = { apiVersion: "example.com/v1", kind: "Thing", namespace: "default", name: "t" };
  assert.equal(objects.get(ref)?.["status"], undefined);
  assert.equal(objects.patch(ref, { status: { ready: true }, spec: { size: 5 } }, "status")["spec"].size, 1);
  assert.equal(objects.get({ ...ref, apiVersion: "example.com/v1alpha1" })?.apiVersion, "example.com/v1alpha1");
  assert.equal(objects.get(ref)?.["status"].ready, true);
});

test("the definition's columns are the table's", () => {
  const { objects, registry } = setUp();
  const made = objects.create(thing({ size: 4 }));
  const r = registry.byKind("example.com/v1", "Thing");
  assert.ok(r);
  assert.deepEqual(tableOf(r, [made], "None")["rows"][0].cells, ["t", 4]);
});

test("a deleted definition takes its objects with it", () => {
  const { objects, registry, storage } = setUp();
  objects.create(thing({ size: 1 }));
  objects.delete({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    name: "things.example.com",
  });
  assert.equal(registry.byKind("example.com/v1", "Thing"), undefined);
  assert.equal(storage.table("example.com/things").size, 0);
});

test("a wrong definition is refused with every cause", () => {
  const { context } = createCore({}, "CA");
  const bad = {
    ...definition(),
    metadata: { name: "wrong" },
    spec: { group: "example.com", scope: "Planet", names: { plural: "things" }, versions: [{ name: "v1" }] },
  };
  assert.throws(
    () => context.objects.create(bad),
    (e) => e instanceof ApiError && (e.details?.causes?.length ?? 0) >= 5,
  );
});

test("versions stand in Kubernetes' order", () => {
  const versions = ["foo", "v1alpha1", "v11", "v1beta2", "v2", "v1", "v10beta3", "v1beta1", "bar"];
  assert.deepEqual(versions.toSorted(compareVersions), [
    "v11",
    "v2",
    "v1",
    "v10beta3",
    "v1beta2",
    "v1beta1",
    "v1alpha1",
    "bar",
    "foo",
  ]);
});

test("schemas: logic, lists with keys, defaults below, nulls", () => {
  const faults = (value: unknown, s: JsonSchema) => validateSchema(value, s, "v").map((c) => c.reason);
  assert.deepEqual(faults(5, { oneOf: [{ type: "integer" }, { type: "number" }] }), ["FieldValueInvalid"]);
  assert.deepEqual(faults({ a: 1 }, { not: { required: ["a"] } }), ["FieldValueInvalid"]);
  assert.deepEqual(faults("x", { anyOf: [{ type: "integer" }, { type: "string" }] }), []);
  assert.deepEqual(faults(null, { type: "string" }), ["FieldValueTypeInvalid"]);
  assert.deepEqual(faults(null, { type: "string", nullable: true }), []);
  const keyed: JsonSchema = {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["n"],
    items: { type: "object" },
  };
  assert.deepEqual(faults([{ n: 1 }, { n: 2 }, { n: 1 }], keyed), ["FieldValueDuplicate"]);
  const deep: JsonSchema = {
    type: "object",
    properties: { l: { type: "array", items: { type: "object", properties: { d: { default: 7, type: "integer" } } } } },
  };
  assert.deepEqual(applyDefaults({ l: [{}, { d: 1 }] }, deep), { l: [{ d: 7 }, { d: 1 }] });
  assert.deepEqual(prune({ l: [{ d: 1, x: 2 }], y: 3 }, deep), { l: [{ d: 1 }] });
});
