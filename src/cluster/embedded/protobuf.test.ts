import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { askBytes, startTestApi } from "../testing.ts";
import { ApiError } from "./api-error.ts";
import { createCore } from "./embedded-api.ts";
import { type Fields, isFields } from "./fields.ts";
import { APIEXTENSIONS_MESSAGES } from "./gen/protobuf-apiextensions.ts";
import { CORE_MESSAGES } from "./gen/protobuf-core.ts";
import { GROUPS_MESSAGES } from "./gen/protobuf-groups.ts";
import { PLAIN_WRITE } from "./operation-types.ts";
import { decodeProtobuf } from "./protobuf.ts";
import { PROTOBUF_KINDS } from "./protobuf-kinds.ts";
import { fieldsOfMessage, messageOfKind } from "./protobuf-tables.ts";
import { OTHER_VERSIONS } from "./protobuf-versions.ts";
import { apiVersionOf, BUILTIN_RESOURCES } from "./resources.ts";

/** What client-go of Kubernetes 1.20.2 encoded, with Go's JSON of the same object: testdata/protobuf-bodies.go makes them. */
interface Recorded {
  readonly kind: string;
  /** full: every field set; zero: every pointer, list and map there, with empty values. */
  readonly mode: "full" | "zero";
  readonly proto: string;
  readonly json: unknown;
}

let bodies: readonly Recorded[] = [];
before(() => {
  const file = new URL("testdata/protobuf-bodies.jsonl.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString("utf8").trim().split("\n");
  bodies = lines.map((line) => JSON.parse(line) as Recorded);
});

/** A Go server drops nulls when it decodes JSON. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  const kept = Object.entries(value).filter(([, v]) => v !== null);
  return Object.fromEntries(kept.map(([k, v]) => [k, withoutNulls(v)]));
}

const field = (number: number, ...parts: Buffer[]): Buffer => {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
};
function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest]);
    out.push((rest % 128) + 128);
  }
}
const str = (number: number, text: string) => field(number, Buffer.from(text));
const int = (number: number, value: number) => Buffer.concat([varint(number * 8), varint(value)]);
const bodyOf = (apiVersion: string, kind: string, ...raw: Buffer[]) =>
  Buffer.concat([Buffer.from("k8s\0", "latin1"), field(1, str(1, apiVersion), str(2, kind)), field(2, ...raw)]);
const refused = (body: Buffer, message: RegExp) =>
  assert.throws(
    () => decodeProtobuf(body),
    (e) => e instanceof ApiError && e.httpStatus === 400 && message.test(e.message),
  );

test("bodies of every kind, as client-go encodes them, are what JSON would have said", () => {
  for (const { kind, mode, proto, json } of bodies)
    assert.deepEqual(decodeProtobuf(Buffer.from(proto, "base64")), withoutNulls(json), `${kind}, ${mode}`);
  const recorded = new Set(bodies.map((b) => b.kind));
  const known = PROTOBUF_KINDS.flatMap((g) => g.kinds.map((kind) => `${g.apiVersion}/${kind}`));
  // 1.20 has no such kind.
  const missing = known.filter((kind) => !recorded.has(kind));
  assert.deepEqual(missing, ["authentication.k8s.io/v1/SelfSubjectReview"]);
});

test("every built-in kind is read, and every message of the tables has its own", () => {
  for (const r of BUILTIN_RESOURCES) assert.ok(messageOfKind(apiVersionOf(r), r.kind), r.kind);
  const seen = new Set<string>();
  const next = PROTOBUF_KINDS.flatMap((g) => g.kinds.map((kind) => `${g.group}.${kind}`));
  next.push("meta.DeleteOptions");
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const fields = fieldsOfMessage(name);
    assert.ok(fields, name);
    const names = [...fields.values()].map((f) => f.name).filter((n) => n !== ".");
    assert.equal(new Set(names).size, names.length, `${name} has two fields of one name`);
    for (const [number, { type }] of fields) {
      assert.ok(Number.isInteger(number) && number > 0, name);
      if (!["string", "int", "bool", "double", "bytes"].includes(type)) next.push(type);
    }
  }
});

test("fields of other versions have no number that is taken", () => {
  const numbers = (text: string) => Array.from(text.matchAll(/\b(\d+) /g), ([, n]) => Number(n));
  const written: Readonly<Record<string, string>> = { ...CORE_MESSAGES, ...GROUPS_MESSAGES, ...APIEXTENSIONS_MESSAGES };
  for (const [name, more] of Object.entries(OTHER_VERSIONS)) {
    const taken = numbers(written[name] ?? "");
    const own = numbers(more);
    assert.equal(new Set([...taken, ...own]).size, new Set(taken).size + own.length, name);
  }
});

test("a deletion's options come in the group of what is deleted", () => {
  for (const group of ["v1", "apps/v1", "networking.k8s.io/v1"])
    assert.deepEqual(decodeProtobuf(bodyOf(group, "DeleteOptions", int(1, 0), str(4, "Foreground"))), {
      apiVersion: group,
      kind: "DeleteOptions",
      gracePeriodSeconds: 0,
      propagationPolicy: "Foreground",
    });
});

test("fields of other versions than those of the tables' sources are read too", () => {
  const policy = bodyOf("networking.k8s.io/v1", "NetworkPolicy", field(1, str(1, "a")), field(2, field(1)), field(3));
  assert.deepEqual(decodeProtobuf(policy)["status"], {});
  const pod = decodeProtobuf(bodyOf("v1", "Pod", field(2, str(41, "h")), field(3, int(17, 3))));
  assert.deepEqual([pod["spec"], pod["status"]], [{ hostnameOverride: "h" }, { observedGeneration: 3 }]);
});

test("what is not known is refused wherever it stands, as is what has another form", () => {
  const meta = field(1, str(1, "a"));
  refused(bodyOf("v1", "Pod", meta, str(99, "x")), /field 99 of Pod is not known/);
  refused(bodyOf("v1", "Pod", field(1, str(99, "x"))), /field 99 of ObjectMeta is not known/);
  refused(bodyOf("v1", "Pod", field(2, field(2, int(99, 1)))), /field 99 of Container is not known/);
  refused(bodyOf("v1", "Pod", field(1, field(11, str(1, "k"), str(3, "v")))), /field 3 of an entry of a map/);
  refused(bodyOf("v1", "Pod", field(1, field(8, int(3, 1)))), /field 3 of Time is not known/);
  refused(bodyOf("v1", "Pod", field(1, int(1, 5))), /field 1 has wire type 0/);
  refused(bodyOf("v1", "Pod", field(1, str(7, "x"))), /field 7 has wire type 2/);
  refused(bodyOf("v1", "Pod", meta, meta), /field "metadata" stands there twice/);
  refused(bodyOf("v1", "Pod", field(1, field(8, int(1, 2 ** 45)))), /are no time/);
  refused(bodyOf("v1", "Pod", field(1, field(17, field(7, str(1, "{"))))), /JSON/);
  refused(Buffer.concat([bodyOf("v1", "Pod", meta), str(3, "gzip")]), /content encoding gzip/);
  refused(Buffer.concat([bodyOf("v1", "Pod", meta), str(9, "x")]), /field 9 of Unknown/);
  refused(Buffer.from("k8s\0\n\x7f", "latin1"), /ends within a field/);
  refused(Buffer.from("k9s\0", "latin1"), /does not begin as/);
});

test("numbers in lists may be packed, text may be any, and names of maps stay names", () => {
  const context = field(14, field(4, varint(5), varint(300)), int(4, 7));
  const labels = field(1, str(1, "p"), field(11, str(1, "__proto__"), str(2, "ü")));
  const pod = decodeProtobuf(bodyOf("v1", "Pod", labels, field(2, context)));
  assert.deepEqual(pod["spec"], { securityContext: { supplementalGroups: [5, 300, 7] } });
  assert.deepEqual(Object.entries(pod["metadata"].labels), [["__proto__", "ü"]]);
});

test("schemas within schemas are read to a depth that no definition has, and no further", () => {
  const crd = (depth: number) => {
    let schema = str(5, "object");
    for (let i = 0; i < depth; i++) schema = field(29, str(1, "a"), field(2, schema));
    return bodyOf(
      "apiextensions.k8s.io/v1",
      "CustomResourceDefinition",
      field(2, field(7, field(4, field(1, schema)))),
    );
  };
  let at = decodeProtobuf(crd(60))["spec"].versions[0].schema.openAPIV3Schema;
  for (let i = 0; i < 60; i++) at = at.properties.a;
  assert.deepEqual(at, { type: "object" });
  refused(crd(200), /more than 100 messages/);
});

test("bodies with anything changed are decoded or refused, and what they say is stored or refused", () => {
  const { context } = createCore({ onError: (e) => assert.fail(String(e)) }, "CA");
  const judged = (run: () => void) => {
    try {
      run();
    } catch (e) {
      assert.ok(e instanceof ApiError && e.httpStatus < 500, `${(e as Error).stack}`);
    }
  };
  const change = fc.record({ at: fc.nat(), with: fc.uint8Array({ maxLength: 4 }), over: fc.nat({ max: 4 }) });
  fc.assert(
    fc.property(fc.constantFrom(...bodies), fc.array(change, { maxLength: 3 }), (body, changes) => {
      let bytes = Buffer.from(body.proto, "base64");
      for (const c of changes) {
        const at = c.at % (bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, at), c.with, bytes.subarray(at + c.over)]);
      }
      judged(() => {
        const object = decodeProtobuf(bytes);
        const r = context.registry.byKind(object["apiVersion"], object["kind"]);
        if (r === undefined) return;
        const { namespace: _, resourceVersion: __, ...metadata } = (object["metadata"] ?? {}) as Fields;
        const namespace = r.isNamespaced ? "default" : undefined;
        context.operations.create(r, namespace, { ...object, metadata }, { ...PLAIN_WRITE, dryRun: true });
      });
    }),
    { numRuns: 3000 },
  );
});

test("over HTTP: create, replace, status, scale and delete do as with JSON; asked for protobuf the answer is JSON", async () => {
  await using t = await startTestApi();
  const PROTOBUF = "application/vnd.kubernetes.protobuf";
  const ask = async (method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: Buffer, accept = PROTOBUF) => {
    const asked = { config: t.config, method, path, accept };
    const answer = await askBytes(body === undefined ? asked : { ...asked, body, type: PROTOBUF });
    return JSON.parse(answer.toString("utf8")) as Fields;
  };
  const root = "/apis/apps/v1/namespaces/default/deployments";
  const labels = field(1, str(1, "a"), str(2, "b"));
  const podSpec = field(2, field(2, str(1, "c"), str(2, "i")));
  const template = field(3, field(1, field(11, str(1, "a"), str(2, "b"))), podSpec);
  const deployment = (...more: Buffer[]) =>
    bodyOf("apps/v1", "Deployment", field(1, str(1, "d")), field(2, int(1, 0), field(2, labels), template), ...more);
  const made = await ask("POST", root, deployment(field(3, int(7, 4))));
  assert.deepEqual([made["spec"].replicas, made["spec"].progressDeadlineSeconds, made["status"]], [0, 600, {}]);
  const spec = {
    replicas: 0,
    selector: { matchLabels: { a: "b" } },
    template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } },
  };
  const json = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "e" }, spec };
  const path = { method: "POST", path: root, signal: AbortSignal.timeout(20_000), body: json } as const;
  assert.deepEqual(made["spec"], ((await t.connection.json(path)) as Fields)["spec"]);

  const status = await ask("PUT", `${root}/d/status`, deployment(field(3, int(7, 4), int(8, 0))));
  assert.deepEqual(status["status"], { readyReplicas: 4, collisionCount: 0 });
  const scale = bodyOf("autoscaling/v1", "Scale", field(1, str(1, "d")), field(2, int(1, 5)));
  assert.equal((await ask("PUT", `${root}/d/scale`, scale))["spec"].replicas, 5);
  const kept = await ask("PUT", `${root}/d`, deployment(field(3, int(7, 9))));
  assert.deepEqual([kept["spec"].replicas, kept["status"].readyReplicas], [0, 4]);

  const list = await ask("GET", root, undefined, `${PROTOBUF}, */*`);
  assert.equal(list["kind"], "DeploymentList");
  const asMetadata = (type: string) => `${type};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`;
  for (const accept of [`${asMetadata(PROTOBUF)},${asMetadata("application/json")}`, asMetadata(PROTOBUF)])
    assert.equal((await ask("GET", root, undefined, accept))["kind"], "PartialObjectMetadataList");
  await assert.rejects(ask("GET", root, undefined, "application/cbor"), /406/);
  await ask("DELETE", `${root}/d`, bodyOf("apps/v1", "DeleteOptions", str(4, "Background")));
  assert.equal((await ask("GET", root))["items"].length, 1);
});
