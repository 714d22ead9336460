import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import { eventually, startTestApi } from "../../cluster/testing.ts";
import { planSlices, resolvePorts, runEndpointSlices } from "./endpoint-slices.ts";

const meta = (name: string, more: object = {}) => ({
  name,
  namespace: "default",
  uid: `u-${name}`,
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
  ...more,
});

const pod = (
  i: number,
  more: { ready?: boolean; port?: number; metadata?: object; phase?: string } = {},
): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: meta(`p${String(i).padStart(3, "0")}`, { labels: { app: "web" }, ...more.metadata }),
  spec: {
    nodeName: "n1",
    containers: [{ name: "c", ports: [{ name: "http", containerPort: more.port ?? 8080, protocol: "TCP" }] }],
  },
  status: {
    phase: more.phase ?? "Running",
    podIPs: [{ ip: `10.0.0.${i}` }, { ip: `fd00::${i}` }],
    conditions: [{ type: "Ready", status: (more.ready ?? true) ? "True" : "False" }],
  },
});

const service = (spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: meta("web"),
  spec: {
    selector: { app: "web" },
    ipFamilies: ["IPv4", "IPv6"],
    ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
    ...spec,
  },
});

// biome-ignore lint/suspicious/noExplicitAny: the plan's own objects
const show = (slices: readonly any[]) =>
  slices.map(
    (s) =>
      `${s.metadata.name} ${s.ports.map((p: { port: number }) => p.port)} ${s.endpoints.map((e: { addresses: string[] }) => e.addresses[0])}`,
  );

test("hints bring clients to the zone or the node, where the service prefers it", () => {
  const zones = new Map([["n1", "z1"]]);
  const hints = (trafficDistribution?: string) =>
    // biome-ignore lint/suspicious/noExplicitAny: the plan's own objects
    (planSlices(service({ trafficDistribution }), [pod(1)], zones)[0] as any).endpoints[0];
  assert.deepEqual([hints().zone, hints().hints], ["z1", undefined]);
  assert.deepEqual(hints("PreferClose").hints, { forZones: [{ name: "z1" }] });
  assert.deepEqual(hints("PreferSameNode").hints, { forZones: [{ name: "z1" }], forNodes: [{ name: "n1" }] });
  assert.equal(show(planSlices(service(), [pod(1)])).length, 2);
});

test("a slice for each family, with the pods that the selector chooses and that have not ended", () => {
  const others = [pod(3, { phase: "Succeeded" }), { ...pod(4), metadata: meta("other", { labels: { app: "db" } }) }];
  assert.deepEqual(show(planSlices(service(), [pod(1), pod(2), ...others])), [
    "web-ipv4 8080 10.0.0.1,10.0.0.2",
    "web-ipv6 8080 fd00::1,fd00::2",
  ]);
  assert.deepEqual(show(planSlices(service(), [])), ["web-ipv4  ", "web-ipv6  "]);
});

test("a named port that differs between pods makes slices of its own, and so do more than 100 endpoints", () => {
  const one = service({ ipFamilies: ["IPv4"] });
  assert.deepEqual(show(planSlices(one, [pod(1), pod(2, { port: 9090 })])), [
    "web-ipv4 8080 10.0.0.1",
    "web-ipv4-1 9090 10.0.0.2",
  ]);
  const many = planSlices(
    one,
    Array.from({ length: 250 }, (_, i) => pod(i)),
  );
  assert.deepEqual(
    many.map((s) => (s["endpoints"] as unknown[]).length),
    [100, 100, 50],
  );
  assert.deepEqual(resolvePorts([{ port: 80, targetPort: "nope" }], pod(1)), []);
});

test("conditions: not ready, terminating, published all the same", () => {
  const dying = { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", labels: { app: "web" } } };
  const of = (p: KubeObject, spec: object = {}) =>
    planSlices(service({ ipFamilies: ["IPv4"], ...spec }), [p]).flatMap(
      (s) => s["endpoints"] as { conditions: object }[],
    )[0]?.conditions;
  assert.deepEqual(of(pod(1)), { ready: true, serving: true, terminating: false });
  assert.deepEqual(of(pod(1, { ready: false })), { ready: false, serving: false, terminating: false });
  assert.deepEqual(of(pod(1, dying)), { ready: false, serving: true, terminating: true });
  assert.deepEqual(of(pod(1, { ready: false }), { publishNotReadyAddresses: true }), {
    ready: true,
    serving: true,
    terminating: false,
  });
});

test("kept current as pods come, become ready and go; gone with the Service", async () => {
  await using t = await startTestApi();
  const { objects } = t.api;
  const errors: unknown[] = [];
  const end = runEndpointSlices(objects, (e) => errors.push(e));
  const slice = () =>
    objects.get({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", namespace: "default", name: "web-ipv4" });
  const endpoints = () => objects.get({ apiVersion: "v1", kind: "Endpoints", namespace: "default", name: "web" });
  const ref = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "p" };
  objects.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
  });
  await eventually("an empty slice", () => slice()?.["endpoints"].length === 0);
  objects.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", labels: { app: "web" } },
    spec: { containers: [{ name: "c", image: "x" }] },
  });
  objects.patch(ref, { status: { phase: "Running", podIPs: [{ ip: "10.0.0.1" }] } }, "status");
  await eventually("not ready", () => endpoints()?.["subsets"]?.[0]?.notReadyAddresses?.[0]?.ip === "10.0.0.1");
  objects.patch(ref, { status: { conditions: [{ type: "Ready", status: "True" }] } }, "status");
  await eventually(
    "ready",
    () =>
      slice()?.["endpoints"][0]?.conditions.ready === true && endpoints()?.["subsets"]?.[0]?.addresses?.length === 1,
  );
  objects.delete(ref);
  await eventually("empty again", () => slice()?.["endpoints"].length === 0 && endpoints()?.["subsets"] === undefined);
  objects.delete({ apiVersion: "v1", kind: "Service", namespace: "default", name: "web" });
  await eventually("gone", () => slice() === undefined && endpoints() === undefined);
  end();
  assert.deepEqual([...errors, ...t.errors], []);
});

test("labels of a service come and go; names, and services without a selector or with an empty one, get no slices", async () => {
  await using t = await startTestApi();
  const { objects } = t.api;
  const end = runEndpointSlices(objects, (e) => assert.fail(String(e)));
  const make = (name: string, spec: object) =>
    objects.create({ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "default" }, spec });
  objects.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", labels: { app: "web" } },
    spec: { containers: [{ name: "c", image: "x" }] },
  });
  make("name", { type: "ExternalName", externalName: "example.org", selector: { app: "web" } });
  make("empty", { selector: {}, ports: [{ port: 80 }] });
  make("none", { ports: [{ port: 80 }] });
  make("web", { selector: { app: "web" }, ports: [{ port: 80 }] });
  const services = () =>
    objects
      .list({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" })
      .map((s) => s.metadata.labels?.["kubernetes.io/service-name"]);
  await eventually("the last one has a slice", () => services().includes("web"));
  assert.deepEqual(services(), ["web"]);

  const web = { apiVersion: "v1", kind: "Service", namespace: "default", name: "web" };
  const labels = () =>
    objects.get({ ...web, apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", name: "web-ipv4" })?.metadata
      .labels;
  objects.patch(web, { metadata: { labels: { a: "b", "service.kubernetes.io/headless": "" } } });
  await eventually("its label is the slice's", () => labels()?.["a"] === "b");
  assert.equal(labels()?.["service.kubernetes.io/headless"], undefined, "it is not headless");
  objects.patch(web, { metadata: { labels: { a: null } } });
  await eventually("the label goes with the service's", () => !Object.hasOwn(labels() ?? {}, "a"));
  end();
});
