/**
 * Protobuf bodies as a real kube-apiserver encodes them: read as the JSON that it says of the same object, and taken by the
 * embedded API as that JSON is. Bodies of it that are kept here are tested beside the decoder, src/cluster/embedded/protobuf.test.ts.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Fields, isFields } from "../../src/cluster/embedded/fields.ts";
import { decodeProtobuf } from "../../src/cluster/embedded/protobuf.ts";
import { WIRE, type WireEntry, wireEntries } from "../../src/cluster/embedded/protobuf-wire.ts";
import { apiVersionOf, BUILTIN_RESOURCES, type ResourceType } from "../../src/cluster/embedded/resources.ts";
import type { ConnectionConfig } from "../../src/cluster/kube/credentials.ts";
import { askBytes, eventually, startTestApi, type TestApi } from "../../src/cluster/testing.ts";
import { PROTOBUF_OBJECTS } from "./protobuf-objects.ts";
import { findRealPrograms, type RealApi, type RealPrograms, startRealApi } from "./real-api.ts";

const JSON_TYPE = "application/json";
const PROTOBUF = "application/vnd.kubernetes.protobuf";

const parsed = async (answer: Promise<Buffer>) => JSON.parse((await answer).toString("utf8")) as Fields;
const jsonBody = (object: unknown) => Buffer.from(JSON.stringify(object));

/** A Go server says null of what is not there, and drops it when it decodes. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  const kept = Object.entries(value).filter(([, v]) => v !== null);
  return Object.fromEntries(kept.map(([k, v]) => [k, withoutNulls(v)]));
}

/** Go says the types of claims within a StatefulSet in JSON, where they have no place in protobuf. */
function withoutInnerTypes(object: Fields): Fields {
  const claims: readonly Fields[] | undefined = object["spec"]?.volumeClaimTemplates;
  if (claims === undefined) return object;
  const volumeClaimTemplates = claims.map(({ apiVersion: _, kind: __, ...claim }) => claim);
  return { ...object, spec: { ...object["spec"], volumeClaimTemplates } };
}

function varint(value: number | bigint): Buffer {
  const out: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...out, Number(rest)]);
    out.push(Number(rest & 0x7fn) | 0x80);
  }
}

function written(e: WireEntry): Buffer {
  const tag = varint(e.number * 8 + e.wire);
  if (e.wire === WIRE.varint) return Buffer.concat([tag, varint(e.varint)]);
  return Buffer.concat(e.wire === WIRE.bytes ? [tag, varint(e.bytes.length), e.bytes] : [tag, e.bytes]);
}

/** The message with one of its fields written anew. */
function rewritten(message: Buffer, number: number, change: (bytes: Buffer) => Buffer): Buffer {
  const entries = [...wireEntries(message)].map((e) => (e.number === number ? { ...e, bytes: change(e.bytes) } : e));
  return Buffer.concat(entries.map(written));
}

const [UID, RESOURCE_VERSION] = [5, 6];

/** A body without what would make it an object of another server. */
function unbound(body: Buffer): Buffer {
  const metadata = (bytes: Buffer) =>
    Buffer.concat([...wireEntries(bytes)].filter((e) => ![UID, RESOURCE_VERSION].includes(e.number)).map(written));
  const unknown = rewritten(body.subarray(4), 2, (raw) => rewritten(raw, 1, metadata));
  return Buffer.concat([body.subarray(0, 4), unknown]);
}

/** What two servers say of one object, without what each of them makes up. */
function comparable(object: Fields): Fields {
  const { uid: _, creationTimestamp: __, resourceVersion: ___, managedFields: ____, ...metadata } = object["metadata"];
  return { ...object, metadata };
}

function typeOf(object: Fields): ResourceType {
  const found = BUILTIN_RESOURCES.find((r) => apiVersionOf(r) === object["apiVersion"] && r.kind === object["kind"]);
  assert.ok(found, object["kind"]);
  return found;
}

/** Whether a definition has the status that its server gives it: to one without, each embedded API would add a time of its own. */
function isSettled(object: Fields): boolean {
  if (object["kind"] !== "CustomResourceDefinition") return true;
  const conditions: readonly Fields[] = object["status"]?.conditions ?? [];
  return conditions.some((c) => c["type"] === "Established" && c["status"] === "True");
}

function collectionOf(object: Fields, r: ResourceType): string {
  const root = r.group === "" ? `/api/${r.version}` : `/apis/${r.group}/${r.version}`;
  return `${root}${r.isNamespaced ? `/namespaces/${object["metadata"].namespace}` : ""}/${r.plural}`;
}

function suite(programs: RealPrograms): void {
  let real: RealApi;
  let asProtobuf: TestApi;
  let asJson: TestApi;
  before(async () => {
    [real, asProtobuf, asJson] = await Promise.all([startRealApi(programs), startTestApi(), startTestApi()]);
    const body = jsonBody({ apiVersion: "v1", kind: "Namespace", metadata: { name: "web" } });
    for (const { config } of [real, asProtobuf, asJson])
      await askBytes({ config, method: "POST", path: "/api/v1/namespaces", body });
  });
  after(async () => {
    for (const api of [real, asProtobuf, asJson]) await api[Symbol.asyncDispose]();
    assert.deepEqual([...asProtobuf.errors, ...asJson.errors], []);
  });

  /** The object as the real server has it once it has its status too. */
  async function make(object: Fields, r: ResourceType): Promise<string> {
    const collection = collectionOf(object, r);
    const path = `${collection}/${object["metadata"].name}`;
    const made = await parsed(
      askBytes({ config: real.config, method: "POST", path: collection, body: jsonBody(object) }),
    );
    if (object["status"] === undefined) return path;
    const body = jsonBody({ ...made, status: object["status"] });
    await askBytes({ config: real.config, method: "PUT", path: `${path}/status`, body });
    return path;
  }

  /** Creates, replaces, and replaces the status. @returns what is stored then */
  async function write(config: ConnectionConfig, path: string, r: ResourceType, body: Buffer, type: string) {
    const collection = path.slice(0, path.lastIndexOf("/"));
    await askBytes({ config, method: "POST", path: collection, body, type });
    await askBytes({ config, method: "PUT", path, body, type });
    if (r.subresources.has("status")) await askBytes({ config, method: "PUT", path: `${path}/status`, body, type });
    return comparable(await parsed(askBytes({ config, method: "GET", path })));
  }

  for (const object of PROTOBUF_OBJECTS)
    test(`${object["kind"]}`, async () => {
      const r = typeOf(object);
      const path = await make(object, r);
      const get = (accept: string) => askBytes({ config: real.config, method: "GET", path, accept });
      let [bytes, said] = [Buffer.alloc(0) as Buffer, {} as Fields];
      // Its own controllers may write in between.
      await eventually("both are of one revision", async () => {
        [bytes, said] = [await get(PROTOBUF), withoutInnerTypes(await parsed(get(JSON_TYPE)))];
        return (
          isSettled(said) && decodeProtobuf(bytes)["metadata"].resourceVersion === said["metadata"].resourceVersion
        );
      });
      assert.deepEqual(decodeProtobuf(bytes), withoutNulls(said));
      const { uid: _, resourceVersion: __, ...metadata } = said["metadata"] as Fields;
      const json = jsonBody({ ...said, metadata });
      assert.deepEqual(
        await write(asProtobuf.config, path, r, unbound(bytes), PROTOBUF),
        await write(asJson.config, path, r, json, JSON_TYPE),
      );
    });
}

const programs = findRealPrograms();
if (typeof programs === "string") test("bodies of a real kube-apiserver", { skip: programs }, () => {});
else describe("bodies of a real kube-apiserver", () => suite(programs));
