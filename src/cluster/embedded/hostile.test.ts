import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError } from "./api-error.ts";
import { createCore } from "./embedded-api.ts";
import { decodeBody } from "./http-request.ts";
import { PLAIN_WRITE } from "./operation-types.ts";
import { BUILTIN_RESOURCES } from "./resources.ts";

/** Names that mean something to the server, so that odd values stand where they hurt. */
const KEYS = [
  "spec",
  "status",
  "metadata",
  "template",
  "containers",
  "initContainers",
  "ports",
  "selector",
  "matchLabels",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
  "names",
  "versions",
  "schema",
  "openAPIV3Schema",
  "properties",
  "subresources",
  "group",
  "plural",
  "kind",
  "clusterIPs",
  "ipFamilies",
  "type",
  "ingress",
  "egress",
  "from",
  "to",
  "ipBlock",
  "subjects",
  "roleRef",
  "podCIDRs",
  "addresses",
  "conditions",
  "data",
  "stringData",
  "replicas",
  "tolerations",
  "strategy",
  "resources",
  "managedFields",
];
const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.string({ maxLength: 8 }),
  fc.constantFrom("ClusterIP", "NodePort", "TCP", "v1", "a"),
);
const odd = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value"), { maxLength: 3 }), tie("object")),
  object: fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { maxKeys: 6 }),
}));

function mustBeJudged(run: () => unknown): void {
  try {
    run();
  } catch (e) {
    assert.ok(e instanceof ApiError && e.httpStatus < 500, `${(e as Error).stack}`);
  }
}

test("an object of any shape is stored or refused, by create, update, patch and apply", () => {
  const { context } = createCore({ onError: (e) => assert.fail(String(e)) }, "CA");
  const { operations } = context;
  const write = { ...PLAIN_WRITE, manager: "m", dryRun: true };
  fc.assert(
    fc.property(fc.constantFrom(...BUILTIN_RESOURCES), odd.object, odd.object, (r, a, b) => {
      const namespace = r.isNamespaced ? "default" : undefined;
      const apiVersion = r.group === "" ? r.version : `${r.group}/${r.version}`;
      const bodyOf = (x: object) => ({
        ...x,
        apiVersion,
        kind: r.kind,
        metadata: { ...(x as { metadata?: object }).metadata, name: "x" },
      });
      const body = JSON.parse(JSON.stringify(bodyOf(a)));
      mustBeJudged(() => operations.create(r, namespace, body, write));
      mustBeJudged(() => operations.apply(r, namespace, "x", bodyOf(a), { ...write, force: true }));
      mustBeJudged(() => operations.create(r, namespace, a, write));
      if (r.storage !== "/configmaps") return;
      mustBeJudged(() => operations.create(r, namespace, { ...body, data: {} }, { ...write, dryRun: false }));
      mustBeJudged(() => operations.update(r, namespace, "x", (o) => ({ ...o, ...b }), write));
      mustBeJudged(() => operations.apply(r, namespace, "x", bodyOf(b), { ...write, force: false }));
    }),
    { numRuns: 600 },
  );
});

test("a definition of any shape is served or refused", () => {
  const crd = BUILTIN_RESOURCES.find((r) => r.kind === "CustomResourceDefinition");
  assert.ok(crd);
  const version = fc.record({
    name: fc.constantFrom("v1", "v2"),
    served: fc.boolean(),
    storage: fc.boolean(),
    schema: fc.record({ openAPIV3Schema: odd.object }),
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(version, odd.value), { maxLength: 2 }), odd.value, (versions, names) => {
      const { context } = createCore({ onError: (e) => assert.fail(String(e)) }, "CA");
      const spec = {
        group: "x.io",
        scope: "Namespaced",
        names: typeof names === "object" ? { ...names, plural: "ts", kind: "T" } : names,
        versions,
      };
      const metadata = { name: "ts.x.io" };
      mustBeJudged(() => {
        context.operations.create(
          crd,
          undefined,
          { apiVersion: "apiextensions.k8s.io/v1", kind: crd.kind, metadata, spec },
          PLAIN_WRITE,
        );
        const [served] = context.registry.all().filter((r) => r.custom !== undefined);
        if (served !== undefined)
          context.operations.create(served, "default", { metadata: { name: "a" }, spec: { b: 1 } }, PLAIN_WRITE);
      });
    }),
    { numRuns: 300 },
  );
});

test("a body of any bytes is decoded or refused", () => {
  const magic = Buffer.from("k8s\0", "latin1");
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom("application/json", "application/yaml", "application/vnd.kubernetes.protobuf"),
      (bytes, type) => {
        mustBeJudged(() => decodeBody(Buffer.from(bytes), type));
        mustBeJudged(() => decodeBody(Buffer.concat([magic, bytes]), "application/vnd.kubernetes.protobuf"));
      },
    ),
    { numRuns: 2000 },
  );
});

test("protobuf: what Go has inline stands among the fields around it", () => {
  const field = (number: number, bytes: Buffer) => Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes]);
  const str = (number: number, text: string) => field(number, Buffer.from(text));
  const service = Buffer.concat([str(1, "web"), field(2, Buffer.of(0x10, 80))]);
  const path = Buffer.concat([str(1, "/c"), field(2, field(4, service)), str(3, "Exact")]);
  const rule = Buffer.concat([str(1, "a.example"), field(2, field(1, field(1, path)))]);
  const kind = field(1, Buffer.concat([str(1, "networking.k8s.io/v1"), str(2, "Ingress")]));
  const body = Buffer.concat([Buffer.from("k8s\0", "latin1"), kind, field(2, field(2, field(3, rule)))]);
  const backend = { service: { name: "web", port: { number: 80 } } };
  assert.deepEqual(decodeBody(body, "application/vnd.kubernetes.protobuf"), {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    spec: { rules: [{ host: "a.example", http: { paths: [{ path: "/c", backend, pathType: "Exact" }] } }] },
  });
});

test("protobuf: fields that are known come through, others and deep nesting are refused", () => {
  const field = (number: number, bytes: Buffer) => Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes]);
  const str = (number: number, text: string) => field(number, Buffer.from(text));
  const body = (kind: string, raw: Buffer) =>
    Buffer.concat([
      Buffer.from("k8s\0", "latin1"),
      field(1, Buffer.concat([str(1, "v1"), str(2, kind)])),
      field(2, raw),
    ]);
  const type = "application/vnd.kubernetes.protobuf";
  const meta = field(1, Buffer.concat([str(1, "a"), field(11, Buffer.concat([str(1, "k"), str(2, "")]))]));
  assert.deepEqual(decodeBody(body("Namespace", meta), type), {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "a", labels: { k: "" } },
  });
  assert.throws(() => decodeBody(body("Namespace", str(9, "x")), type), /field 9 of Namespace is not known/);
  assert.throws(
    () => decodeBody(body("Pot", meta), type),
    (e) => e instanceof ApiError && e.httpStatus === 415,
  );
  assert.throws(() => decodeBody(body("Namespace", Buffer.of(0x0a, 0x7f)), type), /ends within a field/);
});
