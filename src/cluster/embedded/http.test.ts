import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { after, before, describe, test } from "node:test";
import { createConnection } from "../kube/connection.ts";
import { createLineSplitter } from "../kube/watch-lines.ts";
import { ClusterError } from "../source.ts";
import { eventually, startTestApi, type TestApi } from "../testing.ts";
import type { Fields } from "./fields.ts";
import type { NewObject } from "./types.ts";

let t: TestApi;
before(async () => {
  t = await startTestApi({ historyEvents: 20 });
});
after(() => t[Symbol.asyncDispose]());

const signal = () => AbortSignal.timeout(60_000);
const json = async (
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  contentType?: string,
) =>
  (await t.connection.json({
    method,
    path,
    signal: signal(),
    ...(body === undefined ? {} : { body }),
    ...(contentType === undefined ? {} : { contentType }),
  })) as Fields;
const config = (name: string, data: object = {}, labels: object = {}): NewObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", labels },
  data,
});
const maps = "/api/v1/namespaces/default/configmaps";

async function refused(run: Promise<unknown>, status: number, code: string): Promise<ClusterError> {
  const e = await run.then(
    () => assert.fail("it was accepted"),
    (error: unknown) => error,
  );
  assert.ok(e instanceof ClusterError, String(e));
  assert.deepEqual([e.httpStatus, e.code], [status, code], e.message);
  return e;
}

/** Collects a watch's events until `enough`. */
async function watched(path: string, enough: (events: Fields[]) => boolean, started?: () => void): Promise<Fields[]> {
  const stop = new AbortController();
  const res: IncomingMessage = await t.connection.stream({
    method: "GET",
    path,
    signal: AbortSignal.any([stop.signal, signal()]),
  });
  started?.();
  const splitter = createLineSplitter();
  const events: Fields[] = [];
  for await (const piece of res as AsyncIterable<Buffer>) {
    for (const line of splitter.push(piece)) events.push(JSON.parse(line));
    if (enough(events)) break;
  }
  stop.abort();
  return events;
}

describe("requests", () => {
  test("who is unknown learns nothing but health and version", async () => {
    const stranger = createConnection({ ...t.config, clientCert: undefined, clientKey: undefined }, { userAgent: "x" });
    await refused(stranger.json({ method: "GET", path: "/api/v1/nodes", signal: signal() }), 401, "Unauthorized");
    const version = (await stranger.json({ method: "GET", path: "/version", signal: signal() })) as Fields;
    assert.match(version["gitVersion"], /^v1\./);
    stranger[Symbol.dispose]();
  });

  test("a service account's token is known", async () => {
    const made = await json("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {
      spec: { expirationSeconds: 600 },
    });
    const token = { kind: "value", text: made["status"].token } as const;
    const account = createConnection(
      { ...t.config, clientCert: undefined, clientKey: undefined, token },
      { userAgent: "x" },
    );
    const review = (await account.json({
      method: "POST",
      path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
      body: {},
      signal: signal(),
    })) as Fields;
    assert.equal(review["status"].userInfo.username, "system:serviceaccount:default:default");
    account[Symbol.dispose]();
  });

  test("create, read, replace, patch, delete, each with its status", async () => {
    const made = await json("POST", maps, config("crud", { a: "1" }));
    assert.equal(made["data"].a, "1");
    assert.equal(
      (await refused(json("POST", maps, config("crud")), 409, "AlreadyExists")).message.includes(
        'configmaps "crud" already exists',
      ),
      true,
    );
    const replaced = await json("PUT", `${maps}/crud`, { ...made, data: { b: "2" } });
    assert.deepEqual(replaced["data"], { b: "2" });
    await refused(json("PUT", `${maps}/crud`, { ...made, data: {} }), 409, "Conflict");
    assert.deepEqual(
      (await json("PATCH", `${maps}/crud`, { data: { c: "3" } }, "application/merge-patch+json"))["data"],
      { b: "2", c: "3" },
    );
    assert.deepEqual(
      (await json("PATCH", `${maps}/crud`, [{ op: "remove", path: "/data/b" }], "application/json-patch+json"))["data"],
      { c: "3" },
    );
    assert.equal((await json("DELETE", `${maps}/crud`))["status"], "Success");
    await refused(json("GET", `${maps}/crud`), 404, "NotFound");
  });

  test("what cannot be served says why", async () => {
    await refused(json("GET", "/api/v1/nonsense"), 404, "NotFound");
    await refused(json("GET", "/apis/none.example.com/v1/things"), 404, "NotFound");
    await refused(json("PUT", maps, {}), 405, "MethodNotAllowed");
    await refused(json("POST", maps, { apiVersion: "v1", kind: "Secret", metadata: { name: "x" } }), 400, "BadRequest");
    await refused(json("POST", maps, config("x"), "text/plain"), 415, "UnsupportedMediaType");
    await refused(json("POST", maps, config("big", { a: "x".repeat(4 << 20) })), 413, "RequestEntityTooLarge");
    await refused(json("GET", `${maps}?labelSelector=a%20b`), 400, "BadRequest");
    await refused(json("GET", `${maps}?limit=x`), 400, "BadRequest");
    await refused(json("PATCH", `${maps}/x`, {}, "application/strategic-merge-patch+json"), 404, "NotFound");
  });

  test("both forms of discovery name the same kinds", async () => {
    const old = await json("GET", "/apis/apps/v1");
    const names = old["resources"].map((r: Fields) => r["name"]);
    assert.ok(names.includes("deployments") && names.includes("deployments/scale"));
    const text = await new Promise<string>((resolve, reject) => {
      const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
      const { config: c } = t;
      const value = (s: typeof c.ca) => (s?.kind === "value" ? s.text : "");
      get(
        `${c.server}/apis`,
        { ca: value(c.ca), cert: value(c.clientCert), key: value(c.clientKey), headers: { accept } },
        (res) => {
          res.toArray().then((a) => resolve(Buffer.concat(a as Buffer[]).toString()), reject);
        },
      ).once("error", reject);
    });
    const aggregated = JSON.parse(text) as Fields;
    assert.equal(aggregated["kind"], "APIGroupDiscoveryList");
    const apps = aggregated["items"].find((g: Fields) => g["metadata"].name === "apps");
    assert.deepEqual(
      apps.versions[0].resources.map((r: Fields) => r["resource"]),
      names.filter((n: string) => !n.includes("/")),
    );
  });
});

describe("lists", () => {
  test("in pages: one snapshot, each object once, whatever happens in between", async () => {
    for (let i = 0; i < 25; i++) t.api.objects.create(config(`page-${i}`, {}, { page: "yes" }));
    const names: string[] = [];
    let token = "";
    let revision: string | undefined;
    do {
      const page = await json("GET", `${maps}?labelSelector=page&limit=10&continue=${token}`);
      revision ??= page["metadata"].resourceVersion;
      assert.equal(page["metadata"].resourceVersion, revision);
      names.push(...page["items"].map((o: Fields) => o["metadata"].name));
      t.api.objects.delete({
        apiVersion: "v1",
        kind: "ConfigMap",
        namespace: "default",
        name: `page-${24 - names.length / 10}`,
      });
      token = page["metadata"].continue ?? "";
    } while (token !== "");
    assert.equal(names.length, 25);
    assert.equal(new Set(names).size, 25);
    await refused(json("GET", `${maps}?limit=10&continue=AAAA`), 400, "BadRequest");
    const gone = Buffer.from("zzz.10", "latin1").toString("base64url");
    await refused(json("GET", `${maps}?limit=10&continue=${gone}`), 410, "Expired");
  });

  test("a collection is deleted by its selector", async () => {
    t.api.objects.create(config("keep"));
    await json("DELETE", `${maps}?labelSelector=page`);
    const left = (await json("GET", maps))["items"].map((o: Fields) => o["metadata"].name);
    assert.ok(left.includes("keep") && !left.some((n: string) => n.startsWith("page-")), left.join());
  });
});

describe("watches", () => {
  test("from a list's revision: every change in its order", async () => {
    const { resourceVersion } = (await json("GET", maps))["metadata"];
    const events = await watched(
      `${maps}?watch=1&resourceVersion=${resourceVersion}`,
      (e) => e.length >= 3,
      () => {
        t.api.objects.create(config("w"));
        t.api.objects.patch(
          { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "w" },
          { data: { a: "1" } },
        );
        t.api.objects.delete({ apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "w" });
      },
    );
    assert.deepEqual(
      events.map((e) => `${e["type"]} ${e["object"].metadata.name}`),
      ["ADDED w", "MODIFIED w", "DELETED w"],
    );
    const revisions = events.map((e) => Number(e["object"].metadata.resourceVersion));
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
  });

  test("resumed: what happened meanwhile comes first", async () => {
    const made = t.api.objects.create(config("resume"));
    t.api.objects.patch(
      { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "resume" },
      { data: { a: "1" } },
    );
    const events = await watched(
      `${maps}?watch=1&resourceVersion=${made.metadata.resourceVersion}`,
      (e) => e.length >= 1,
    );
    assert.equal(events[0]?.["object"].data.a, "1");
  });

  test("a revision that is forgotten, or not yet there, is gone", async () => {
    const first = t.api.objects.create(config("old"));
    for (let i = 0; i < 60; i++)
      t.api.objects.patch(
        { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "old" },
        { data: { i: `${i}` } },
      );
    for (const revision of [first.metadata.resourceVersion, "99999999999999"]) {
      const events = await watched(`${maps}?watch=1&resourceVersion=${revision}`, (e) => e.length >= 1);
      assert.deepEqual(
        [events[0]?.["type"], events[0]?.["object"].code, events[0]?.["object"].reason],
        ["ERROR", 410, "Expired"],
      );
    }
  });

  test("an object that stops matching is deleted for the watcher, one that begins is added", async () => {
    t.api.objects.create(config("sel", {}, { color: "red" }));
    const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "sel" };
    const events = await watched(
      `${maps}?watch=1&labelSelector=color%3Dred`,
      (e) => e.length >= 3,
      () => {
        t.api.objects.patch(ref, { metadata: { labels: { color: "blue" } } });
        t.api.objects.patch(ref, { metadata: { labels: { color: "green" } } });
        t.api.objects.patch(ref, { metadata: { labels: { color: "red" } } });
      },
    );
    assert.deepEqual(
      events.map((e) => `${e["type"]} ${e["object"].metadata.labels.color}`),
      ["ADDED red", "DELETED red", "ADDED red"],
    );
  });

  test("ends at its time with a bookmark, and begins with one when asked", async () => {
    const events = await watched(
      `${maps}?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1&labelSelector=none`,
      () => false,
    );
    assert.deepEqual(
      events.map((e) => e["type"]),
      ["BOOKMARK", "BOOKMARK"],
    );
    assert.equal(events[0]?.["object"].metadata.annotations["k8s.io/initial-events-end"], "true");
  });

  test("a watcher that does not read is cut off, and counted", async () => {
    const res = await t.connection.stream({
      method: "GET",
      path: `${maps}?watch=1&labelSelector=big`,
      signal: signal(),
    });
    res.on("error", () => {});
    const closed = new Promise((resolve) => res.once("close", resolve));
    const data = (i: number) => ({ data: { i: `${i}`, text: "x".repeat(1 << 20) } });
    t.api.objects.create(config("big", {}, { big: "yes" }));
    for (let i = 0; i < 60 && t.api.stats().slowWatchersClosed === 0; i++) {
      t.api.objects.patch({ apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "big" }, data(i));
      await new Promise(setImmediate);
    }
    assert.equal(t.api.stats().slowWatchersClosed, 1);
    res.resume();
    await closed;
  });

  test("a list that is larger than what may wait for a watcher comes whole, with what happens meanwhile behind it", async () => {
    const count = 24;
    for (let i = 0; i < count; i++)
      t.api.objects.create(config(`part-${i}`, { text: "x".repeat(1 << 20) }, { whole: "yes" }));
    const before = t.api.stats().slowWatchersClosed;
    const path = `${maps}?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&labelSelector=whole`;
    const events = await watched(
      path,
      (e) => e.at(-1)?.["object"].metadata.name === "late",
      () => t.api.objects.create(config("late", {}, { whole: "yes" })),
    );
    const seen = events.map((e) => `${e["type"]} ${e["object"].metadata.name ?? ""}`);
    assert.equal(seen.filter((s) => s.startsWith("ADDED part-")).length, count);
    assert.deepEqual(seen.slice(count), ["BOOKMARK ", "ADDED late"]);
    assert.equal(t.api.stats().slowWatchersClosed, before);
  });

  test("a watch leaves nothing behind", async () => {
    await eventually("all watches are closed", () => t.api.stats().watchers === 0);
    assert.deepEqual(t.errors, []);
  });
});
