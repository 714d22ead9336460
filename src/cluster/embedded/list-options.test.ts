/** What a list and a watch may ask for together, and what they begin with. */

import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { after, before, describe, test } from "node:test";
import { createLineSplitter } from "../kube/watch-lines.ts";
import { ClusterError } from "../source.ts";
import { startTestApi, type TestApi } from "../testing.ts";
import type { Fields } from "./fields.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const signal = () => AbortSignal.timeout(60_000);

let t: TestApi;
let revision = 0;
before(async () => {
  t = await startTestApi();
  const made = (name: string) =>
    t.api.objects.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: {} });
  made("first");
  revision = Number(made("second").metadata.resourceVersion);
});
after(() => t[Symbol.asyncDispose]());

const list = async (query: string) =>
  (await t.connection.json({ method: "GET", path: `${MAPS}?${query}`, signal: signal() })) as Fields;

async function refused(query: string): Promise<number | undefined> {
  const e = await list(query).then(
    () => assert.fail(`${query} was accepted`),
    (error: unknown) => error,
  );
  assert.ok(e instanceof ClusterError, String(e));
  return e.httpStatus;
}

async function watched(query: string, accept = "application/json"): Promise<Fields[]> {
  const url = `https://127.0.0.1:${t.port}${MAPS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true&${query}`;
  const { ca, clientCert, clientKey } = t.config;
  const read = (s: typeof ca) => (s?.kind === "value" ? s.text : "");
  const tls = { ca: read(ca), cert: read(clientCert), key: read(clientKey) };
  const res = await new Promise<IncomingMessage>((done, failed) => {
    get(url, { ...tls, headers: { accept }, signal: signal() }, done).on("error", failed);
  });
  const splitter = createLineSplitter();
  const events: Fields[] = [];
  for await (const piece of res as AsyncIterable<Buffer>)
    for (const line of splitter.push(piece)) events.push(JSON.parse(line));
  return events;
}

describe("refused", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["resourceVersion=abc", 400],
    ["resourceVersionMatch=NotOlderThan", 422],
    ["resourceVersionMatch=Newest&resourceVersion=1", 422],
    ["resourceVersionMatch=Exact&resourceVersion=0", 422],
    ["resourceVersionMatch=Exact&resourceVersion=1", 410],
    ["sendInitialEvents=true", 422],
    ["watch=1&sendInitialEvents=true", 422],
    ["watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", 422],
    ["watch=1&resourceVersion=1&resourceVersionMatch=NotOlderThan", 422],
  ];
  for (const [query, status] of cases) test(query, async () => assert.equal(await refused(query), status));

  test("a revision that is still to come", async () =>
    assert.equal(await refused(`resourceVersion=${revision * 2}`), 504));

  test("a continued list of another revision", async () => {
    const { metadata } = await list("limit=1");
    assert.equal(await refused(`limit=1&resourceVersion=${revision}&continue=${metadata.continue}`), 400);
  });
});

test("a list of exactly the last revision of its kind is the list of now", async () => {
  const seen = (await list(""))["metadata"].resourceVersion;
  t.api.objects.create({ apiVersion: "v1", kind: "Secret", metadata: { name: "other", namespace: "default" } });
  const { items } = await list(`resourceVersion=${seen}&resourceVersionMatch=Exact`);
  assert.ok(items.length >= 2);
});

test("bookmarks of a watch for metadata alone are metadata", async () => {
  const events = await watched("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", PARTIAL);
  const marks = events.filter((e) => e["type"] === "BOOKMARK");
  assert.ok(marks.length > 0);
  for (const { object } of marks) {
    assert.deepEqual([object.apiVersion, object.kind], ["meta.k8s.io/v1", "PartialObjectMetadata"]);
    assert.ok(Number(object.metadata.resourceVersion) >= revision);
  }
});

test("without initial events a watch begins with what comes", async () => {
  const events = await watched("sendInitialEvents=false&resourceVersionMatch=NotOlderThan");
  assert.deepEqual(
    events.filter((e) => e["type"] !== "BOOKMARK"),
    [],
  );
});
