/** What writes and deletions are refused for, beside what their objects say. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ClusterError } from "../source.ts";
import { startTestApi, type TestApi } from "../testing.ts";
import type { Fields } from "./fields.ts";

const NS = "/api/v1/namespaces/default";
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const APPLY = "application/apply-patch+yaml";
const MERGE = "application/merge-patch+json";

let t: TestApi;
before(async () => {
  t = await startTestApi();
});
after(() => t[Symbol.asyncDispose]());

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

async function ask(method: Method, path: string, body?: object, contentType = "application/json"): Promise<Fields> {
  const sent = body === undefined ? {} : { body, contentType };
  return (await t.connection.json({ method, path, signal: AbortSignal.timeout(60_000), ...sent })) as Fields;
}

async function status(...request: Parameters<typeof ask>): Promise<number | undefined> {
  const e = await ask(...request).then(
    () => assert.fail(`${request[0]} ${request[1]} was accepted`),
    (error: unknown) => error,
  );
  assert.ok(e instanceof ClusterError, String(e));
  return e.httpStatus;
}

const map = (name: string, more: object = {}) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, ...more });

test("a deletion: unknown and contradicting policies, dry runs of nothing, wrong types; the object stays", async () => {
  await ask("POST", `${NS}/configmaps`, map("kept"));
  const at = `${NS}/configmaps/kept`;
  assert.equal(await status("DELETE", `${at}?propagationPolicy=Later`), 422);
  assert.equal(await status("DELETE", `${at}?dryRun=Some`), 422);
  assert.equal(await status("DELETE", at, { propagationPolicy: "Orphan", orphanDependents: true }), 422);
  assert.equal(await status("DELETE", at, { gracePeriodSeconds: "soon" }), 400);
  await ask("DELETE", at, { dryRun: ["All"] });
  assert.equal((await ask("GET", at))["metadata"].name, "kept");
});

test("an eviction keeps to the preconditions and the dry run of its body", async () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  await ask("POST", `${NS}/pods`, pod);
  const evict = (deleteOptions: object) =>
    ["POST", `${NS}/pods/p/eviction`, { apiVersion: "policy/v1", kind: "Eviction", deleteOptions }] as const;
  assert.equal(await status(...evict({ preconditions: { uid: "another" } })), 409);
  await ask(...evict({ dryRun: ["All"] }));
  assert.equal((await ask("GET", `${NS}/pods/p`))["metadata"].name, "p");
});

test("a scale that was read before somebody else wrote", async () => {
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
  const spec = { selector: { matchLabels: { a: "b" } }, template };
  await ask("POST", DEPLOYMENTS, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec });
  const scale = await ask("GET", `${DEPLOYMENTS}/d/scale`);
  await ask("PATCH", `${DEPLOYMENTS}/d`, { metadata: { labels: { x: "y" } } }, MERGE);
  assert.equal(await status("PUT", `${DEPLOYMENTS}/d/scale`, { ...scale, spec: { replicas: 3 } }), 409);
  assert.equal((await ask("GET", `${DEPLOYMENTS}/d`))["spec"].replicas, 1);
});

test("ConfigMaps and Secrets: what is immutable, keys that are none, another type", async () => {
  await ask("POST", `${NS}/configmaps`, map("fixed", { immutable: true, data: { a: "1" } }));
  const change = (path: string, body: object) => status("PATCH", `${NS}/${path}`, body, MERGE);
  assert.equal(await change("configmaps/fixed", { data: { a: "2" } }), 422);
  assert.equal(await change("configmaps/fixed", { immutable: false }), 422);
  await ask("PATCH", `${NS}/configmaps/fixed`, { metadata: { labels: { a: "b" } } }, MERGE);
  assert.equal(await status("POST", `${NS}/configmaps`, map("keys", { data: { "a/b": "" } })), 422);
  await ask("POST", `${NS}/secrets`, { apiVersion: "v1", kind: "Secret", metadata: { name: "s" } });
  assert.equal(await change("secrets/s", { type: "example.org/t" }), 422);
});

test("server-side apply: an object that is not there has no uid and no revision; its body says what it is", async () => {
  const at = `${NS}/configmaps/none?fieldManager=m`;
  const uid = "11111111-1111-1111-1111-111111111111";
  assert.equal(await status("PATCH", at, map("none", { metadata: { name: "none", uid } }), APPLY), 409);
  assert.equal(
    await status("PATCH", at, map("none", { metadata: { name: "none", resourceVersion: "1" } }), APPLY),
    409,
  );
  assert.equal(await status("PATCH", at, { metadata: { name: "none" } }, APPLY), 400);
  assert.equal(await status("PATCH", `${at}&force=true`, { data: {} }, MERGE), 422);
});

test("parameters that there are not, and a token for a minute", async () => {
  assert.equal(await status("POST", `${NS}/configmaps?fieldValidation=Some`, map("x")), 422);
  const token = `${NS}/serviceaccounts/default/token`;
  assert.equal(await status("POST", token, { spec: { expirationSeconds: 60 } }), 422);
});

test("empty lists and maps of the metadata are not kept", async () => {
  const metadata = { name: "empty", labels: {}, annotations: {}, finalizers: [], ownerReferences: [] };
  const made = await ask("POST", `${NS}/configmaps`, map("empty", { metadata }));
  for (const key of ["labels", "annotations", "finalizers", "ownerReferences"])
    assert.equal(key in made["metadata"], false, key);
});

test("what may be done in one namespace is asked there", async () => {
  const spec = { user: "nobody", resourceAttributes: { namespace: "default", verb: "get", resource: "pods" } };
  const path = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
  assert.equal((await ask("POST", path, { spec }))["status"].allowed, false);
});
