import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { NewObject } from "../embedded/types.ts";
import { ClusterError, type ClusterSource, type ClusterTable } from "../source.ts";
import {
  type CuttableProxy,
  configFor,
  eventually,
  PLAIN,
  startProxy,
  startTestApi,
  type TestApi,
} from "../testing.ts";
import { createKubeSource } from "./kube-source.ts";
import { conditionsPatch } from "./node-conditions.ts";

const pod = (name: string, labels: object = {}): NewObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", labels },
  spec: { nodeName: "node-1", containers: [{ name: "c", image: "x" }] },
});
const podRef = (name: string) => ({ apiVersion: "v1", kind: "Pod", namespace: "default", name });
const node = (name: string, i: number): NewObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  spec: { podCIDRs: [`10.244.${i}.0/24`] },
  status: {
    addresses: [{ type: "InternalIP", address: `192.168.77.${i}` }],
    conditions: [{ type: "Ready", status: "True" }],
  },
});

interface Running {
  readonly source: ClusterSource;
  readonly failures: unknown[];
  stop(): Promise<void>;
}

function start(
  t: TestApi,
  port = t.port,
  more: { pageSize?: number; tables?: readonly ClusterTable[]; initialList?: "stream" | "pages" } = {},
): Running {
  const failures: unknown[] = [];
  const source = createKubeSource({
    config: configFor(t.api, port),
    userAgent: "twill-test",
    backoff: { firstMs: 5, maxMs: 50 },
    onFailure: (e) => failures.push(e),
    ...more,
  });
  const stop = new AbortController();
  const done = source.run(stop.signal);
  return {
    source,
    failures,
    stop() {
      stop.abort();
      return done;
    },
  };
}

const names = (s: ClusterSource) => [...s.snapshot().tables.pods.keys()].sort();
const deadline = () => AbortSignal.timeout(60_000);

for (const initialList of ["stream", "pages"] as const)
  describe(`against the embedded API, lists by ${initialList}`, () => suite(initialList));

function suite(initialList: "stream" | "pages"): void {
  let t: TestApi;
  let proxy: CuttableProxy;
  before(async () => {
    t = await startTestApi({ historyEvents: 8 });
    proxy = await startProxy(t.port);
    for (let i = 1; i <= 3; i++) t.api.objects.create(node(`node-${i}`, i));
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await t[Symbol.asyncDispose]();
    assert.deepEqual(t.errors, []);
  });

  test("lists in pages, then follows changes; what says the same wakes nobody", async () => {
    for (let i = 0; i < 7; i++) t.api.objects.create(pod(`p${i}`));
    const { source, stop } = start(t, t.port, { pageSize: 3, initialList });
    await source.whenSynced(deadline());
    assert.equal(source.snapshot().tables.pods.size, 7);
    assert.deepEqual(
      source
        .snapshot()
        .tables.nodes.get("node-2")
        ?.podCidrs.map((p) => p.text),
      ["10.244.2.0/24"],
    );
    await eventually("live", () => source.health().isLive);
    const { tables: before } = source.snapshot();
    t.api.objects.patch(podRef("p0"), { metadata: { annotations: { heartbeat: "1" } } });
    t.api.objects.patch(podRef("p1"), { metadata: { labels: { a: "b" } } });
    await eventually(
      "the label is seen",
      () => source.snapshot().tables.pods.get("default/p1")?.labels.get("a") === "b",
    );
    const { tables: now } = source.snapshot();
    const changed = Object.entries(now).filter(([table, rows]) => rows !== before[table as keyof typeof before]);
    assert.deepEqual(
      changed.map(([table]) => table),
      ["pods"],
    );
    assert.deepEqual(
      Array.from(now.pods.changesSince(before.pods), (c) => c.key),
      ["default/p1"],
    );
    t.api.objects.delete(podRef("p2"), { graceSeconds: 0 });
    await eventually("the deletion is seen", () => !names(source).includes("default/p2"));
    assert.equal(source.health().lastError, undefined);
    await stop();
  });

  test("a source that needs one table asks for no other", async () => {
    t.api.objects.create(node("node-8", 8));
    t.api.objects.create(pod("unasked"));
    const r = start(t, t.port, { tables: ["nodes"] });
    await r.source.whenSynced(deadline());
    assert.ok(r.source.snapshot().tables.nodes.has("node-8"));
    assert.equal(r.source.snapshot().tables.pods.size, 0);
    assert.deepEqual(
      r.source.health().tables.map((h) => h.table),
      ["nodes"],
    );
    await eventually("live", () => r.source.health().isLive);
    await r.stop();
    t.api.objects.delete({ apiVersion: "v1", kind: "Node", name: "node-8" });
    t.api.objects.delete(podRef("unasked"), { graceSeconds: 0 });
  });

  test("a cut connection is resumed from where it was, without a new list", async () => {
    const { source, stop } = start(t, proxy.port, { initialList });
    await source.whenSynced(deadline());
    await eventually("live", () => source.health().isLive);
    const lists = () => source.health().tables.map((x) => x.lists);
    const before = lists();
    proxy.close();
    await eventually("not live", () => source.health().lastError !== undefined && !source.health().isLive);
    t.api.objects.create(pod("while-away"));
    t.api.objects.delete(podRef("p3"), { graceSeconds: 0 });
    assert.ok(source.health().isSynced, "the last state counts on");
    await eventually("it lags", () => source.health().lagMs > 0);
    proxy.open();
    await eventually(
      "caught up",
      () => names(source).includes("default/while-away") && !names(source).includes("default/p3"),
    );
    await eventually("live again", () => source.health().isLive && source.health().lastError === undefined);
    assert.deepEqual(lists(), before);
    await stop();
  });

  test("a history that is too short makes it list again, and what is gone goes", async () => {
    const { source, failures, stop } = start(t, proxy.port, { initialList });
    await source.whenSynced(deadline());
    await eventually("live", () => source.health().isLive);
    proxy.close();
    await eventually("not live", () => !source.health().isLive);
    t.api.objects.delete(podRef("p4"), { graceSeconds: 0 });
    for (let i = 0; i < 40; i++) t.api.objects.patch(podRef("p5"), { metadata: { labels: { i: `${i}` } } });
    proxy.open();
    await eventually("caught up", () => source.snapshot().tables.pods.get("default/p5")?.labels.get("i") === "39");
    assert.ok(!names(source).includes("default/p4"));
    assert.ok(failures.some((e) => e instanceof ClusterError && e.httpStatus === 410));
    assert.equal(source.health().tables.find((x) => x.table === "pods")?.lists, 2);
    await stop();
  });

  test("an object that cannot be read keeps its last good row and is a problem until it can", async () => {
    const { source, stop } = start(t, t.port, { initialList });
    await source.whenSynced(deadline());
    await eventually("live", () => source.health().isLive);
    t.api.objects.patch(podRef("p6"), { status: { podIPs: [{ ip: "10.244.1.9" }] } }, "status");
    await eventually("it has an address", () => source.snapshot().tables.pods.get("default/p6")?.podIps.length === 1);
    t.api.objects.patch(podRef("p6"), { status: { podIPs: [{ ip: "nonsense" }] } }, "status");
    await eventually("it is a problem", () => source.health().problemCount === 1);
    assert.deepEqual(source.health().problems[0]?.subject, "Pod default/p6");
    assert.equal(source.snapshot().tables.pods.get("default/p6")?.podIps[0]?.text, "10.244.1.9");
    t.api.objects.patch(podRef("p6"), { status: { podIPs: [{ ip: "10.244.1.10" }] } }, "status");
    await eventually("it is none any more", () => source.health().problemCount === 0);
    assert.equal(source.snapshot().tables.pods.get("default/p6")?.podIps[0]?.text, "10.244.1.10");
    await stop();
  });

  test("annotations and conditions are written without touching others'", async () => {
    const { source, stop } = start(t, t.port, { initialList });
    await source.patchNodeAnnotations("node-1", { "twill.dev/a": "1", "twill.dev/b": "2" }, deadline());
    await source.patchNodeAnnotations("node-1", { "twill.dev/b": null }, deadline());
    const condition = { type: "NetworkUnavailable", status: "False", reason: "TwillIsUp", message: "m" } as const;
    await source.patchNodeConditions("node-1", [condition], deadline());
    const stored = t.api.objects.get({ apiVersion: "v1", kind: "Node", name: "node-1" });
    assert.deepEqual(stored?.metadata.annotations, { "twill.dev/a": "1" });
    assert.deepEqual(
      stored?.["status"].conditions.map((c: { type: string; status: string }) => `${c.type}=${c.status}`),
      ["Ready=True", "NetworkUnavailable=False"],
    );
    await source.patchNodeConditions("node-1", [condition], deadline());
    assert.equal(
      t.api.objects.get({ apiVersion: "v1", kind: "Node", name: "node-1" })?.metadata.resourceVersion,
      stored?.metadata.resourceVersion,
      "nothing to say, nothing written",
    );
    await assert.rejects(
      source.patchNodeAnnotations("node-9", {}, deadline()),
      (e) => e instanceof ClusterError && e.code === "NotFound",
    );
    await stop();
  });

  test("stopping leaves no connection behind", async () => {
    const { source, stop } = start(t, proxy.port, { initialList });
    await source.whenSynced(deadline());
    await stop();
    await eventually("watches are closed", () => t.api.stats().watchers === 0);
  });
}

test("a server that does not stream lists is asked for pages, without a failure", async () => {
  for (const [status, body] of [
    [422, '{"reason":"Invalid","message":"resourceVersionMatch is forbidden for watch"}'],
    [200, '{"type":"ADDED","object":{"metadata":{"name":"half","resourceVersion":"3"}}}\n'],
  ] as const) {
    const asked: string[] = [];
    const server = createServer((req, res) => {
      const url = new URL(req.url ?? "/", "http://x");
      asked.push(`${url.pathname} ${[...url.searchParams.keys()].join()}`);
      if (url.searchParams.has("sendInitialEvents")) return void res.writeHead(status).end(body);
      if (url.searchParams.has("watch")) return res.writeHead(200).flushHeaders();
      const items = url.pathname === "/api/v1/nodes" ? [{ metadata: { name: "n" } }] : [];
      return void res.writeHead(200).end(JSON.stringify({ metadata: { resourceVersion: "7" }, items }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const failures: unknown[] = [];
    const config = { ...PLAIN, server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    const source = createKubeSource({ config, userAgent: "x", onFailure: (e) => failures.push(e) });
    const stop = new AbortController();
    const done = source.run(stop.signal);
    await source.whenSynced(deadline());
    assert.deepEqual([...source.snapshot().tables.nodes.keys()], ["n"]);
    assert.deepEqual(failures, []);
    const goesOn = "/api/v1/nodes watch,allowWatchBookmarks,timeoutSeconds,resourceVersion";
    await eventually("the watch goes on from the list", () => asked.includes(goesOn));
    stop.abort();
    await done;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("while nothing answers it says so, and waiting for it can be given up", async () => {
  await using t = await startTestApi();
  await using proxy = await startProxy(t.port);
  proxy.close();
  const { source, failures, stop } = start(t, proxy.port);
  await eventually("failures", () => failures.length > 2);
  assert.equal(source.isSynced(), false);
  assert.match(source.health().lastError?.message ?? "", /Cannot GET \/apis?\//);
  await assert.rejects(source.whenSynced(AbortSignal.timeout(10)));
  proxy.open();
  await source.whenSynced(deadline());
  await stop();
});

test("a server that talks nonsense is retried with pauses, and never throws", async () => {
  const answers = ["not json", "{}", '{"metadata":{"resourceVersion":"1"},"items":[null,5,{}]}'];
  let asked = 0;
  const server = createServer((req, res) => {
    const isWatch = req.url?.includes("watch=true");
    res.writeHead(200, { "content-type": "application/json" });
    res.end(isWatch ? '{"type":"WHAT"}\n' : answers[asked++ % answers.length]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const failures: unknown[] = [];
  const config = { ...PLAIN, server: `http://127.0.0.1:${port}` };
  const source = createKubeSource({
    config,
    userAgent: "x",
    backoff: { firstMs: 1, maxMs: 2 },
    onFailure: (e) => failures.push(e),
  });
  const stop = new AbortController();
  const done = source.run(stop.signal);
  await eventually("many failures", () => failures.length > 12);
  assert.ok(failures.every((e) => e instanceof Error));
  assert.ok(source.health().problemCount > 0);
  stop.abort();
  await done;
  await new Promise((resolve) => server.close(resolve));
});

test("a condition keeps the time of its transition until its status changes", () => {
  const wanted = { type: "T", status: "False", reason: "R", message: "m" } as const;
  const old = { type: "T", status: "False", reason: "Old", message: "m", lastTransitionTime: "2020-01-01T00:00:00Z" };
  const now = "2026-01-01T00:00:00Z";
  const condition = (current: object[]) =>
    (
      conditionsPatch(current, [wanted], now) as
        | { status: { conditions: { lastTransitionTime: string }[] } }
        | undefined
    )?.status.conditions[0];
  assert.equal(condition([old])?.lastTransitionTime, "2020-01-01T00:00:00Z");
  assert.equal(condition([{ ...old, status: "True" }])?.lastTransitionTime, now);
  assert.equal(condition([])?.lastTransitionTime, now);
  assert.equal(condition([{ ...old, ...wanted }]), undefined);
});
