/** What clients rely on, asked of the embedded API and, where there is one, of a real kube-apiserver: both must answer alike. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Fields } from "../../src/cluster/embedded/fields.ts";
import type { Connection } from "../../src/cluster/kube/connection.ts";
import type { ConnectionConfig } from "../../src/cluster/kube/credentials.ts";
import { createKubeSource } from "../../src/cluster/kube/kube-source.ts";
import { createLineSplitter } from "../../src/cluster/kube/watch-lines.ts";
import { ClusterError, type ClusterSource } from "../../src/cluster/source.ts";
import { eventually, startTestApi } from "../../src/cluster/testing.ts";
import { findRealPrograms, startRealApi } from "./real-api.ts";

interface Api extends AsyncDisposable {
  readonly config: ConnectionConfig;
  readonly connection: Connection;
  restart?(): Promise<void>;
}

const programs = findRealPrograms();
describe("the embedded API", () => suite(() => startTestApi()));
if (typeof programs === "string") test("a real kube-apiserver", { skip: programs }, () => {});
else describe("a real kube-apiserver", () => suite(() => startRealApi(programs)));

const PATCH = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

function suite(start: () => Promise<Api>): void {
  let api: Api;
  before(async () => {
    api = await start();
  });
  after(() => api[Symbol.asyncDispose]());

  const signal = () => AbortSignal.timeout(60_000);
  const ask = async (
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
    contentType?: string,
  ) =>
    (await api.connection.json({
      method,
      path,
      signal: signal(),
      ...(body === undefined ? {} : { body }),
      ...(contentType ? { contentType } : {}),
    })) as Fields;
  const maps = "/api/v1/namespaces/default/configmaps";
  const pods = "/api/v1/namespaces/default/pods";
  const deployments = "/apis/apps/v1/namespaces/default/deployments";
  const map = (name: string, data: object = {}, metadata: object = {}) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, ...metadata },
    data,
  });
  const pod = (name: string, spec: object = {}) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [{ name: "c", image: "x" }], ...spec },
  });
  const deployment = (name: string, spec: object = {}) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "x" }] } },
      ...spec,
    },
  });

  async function refused(run: Promise<unknown>, status: number, code: string, message?: RegExp): Promise<void> {
    const e = await run.then(
      () => assert.fail("it was accepted"),
      (error: unknown) => error,
    );
    assert.ok(e instanceof ClusterError, String(e));
    assert.deepEqual([e.httpStatus, e.code], [status, code], e.message);
    if (message !== undefined) assert.match(e.message, message);
  }

  test("reasons of refusals", async () => {
    await ask("POST", maps, map("taken"));
    await refused(ask("POST", maps, map("taken")), 409, "AlreadyExists", /configmaps "taken" already exists/);
    await refused(ask("GET", `${maps}/none`), 404, "NotFound", /configmaps "none" not found/);
    await refused(
      ask("POST", "/api/v1/namespaces/none/configmaps", map("x")),
      404,
      "NotFound",
      /namespaces "none" not found/,
    );
    await refused(ask("POST", maps, map("UPPER")), 422, "Invalid", /ConfigMap "UPPER" is invalid: metadata\.name/);
    await refused(ask("POST", pods, pod("p", { containers: [] })), 422, "Invalid", /spec\.containers: Required value/);
    await refused(ask("POST", maps, { ...map("x"), kind: "Secret" }), 400, "BadRequest");
    await refused(ask("POST", maps, { ...map("x"), data: { a: 5 } }), 400, "BadRequest");
    await refused(ask("GET", `${maps}?labelSelector=a%20b`), 400, "BadRequest");
    await refused(
      ask("GET", `${maps}?fieldSelector=spec.x%3Dy`),
      400,
      "BadRequest",
      /"spec\.x" is not a known field selector/,
    );
  });

  test("fields that a kind does not index", async () => {
    await refused(
      ask("GET", `${pods}?fieldSelector=spec.x%3Dy`),
      400,
      "BadRequest",
      /field label not supported: spec\.x/,
    );
    assert.deepEqual(
      (await ask("GET", `${pods}?fieldSelector=spec.nodeName%3Dnone,status.phase!%3DFailed`))["items"],
      [],
    );
  });

  test("versions: only who has the last one may replace", async () => {
    const made = await ask("POST", maps, map("v", { a: "1" }));
    const next = await ask("PUT", `${maps}/v`, { ...made, data: { a: "2" } });
    assert.notEqual(next["metadata"].resourceVersion, made["metadata"].resourceVersion);
    await refused(
      ask("PUT", `${maps}/v`, { ...made, data: { a: "3" } }),
      409,
      "Conflict",
      /please apply your changes to the latest version/,
    );
    const same = await ask("PUT", `${maps}/v`, next);
    assert.equal(same["metadata"].resourceVersion, next["metadata"].resourceVersion, "nothing changed");
    await refused(
      ask("PATCH", `${maps}/v`, { metadata: { uid: "other" } }, PATCH.merge),
      422,
      "Invalid",
      /metadata\.uid.*immutable/,
    );
    await refused(
      ask("PUT", `${maps}/v`, { ...next, metadata: { ...next["metadata"], uid: "other" } }),
      409,
      "Conflict",
    );
  });

  test("defaults and generations", async () => {
    const p = await ask("POST", pods, pod("defaults"));
    assert.deepEqual(
      [
        p["spec"].restartPolicy,
        p["spec"].terminationGracePeriodSeconds,
        p["spec"].dnsPolicy,
        p["spec"].containers[0].imagePullPolicy,
      ],
      ["Always", 30, "ClusterFirst", "Always"],
    );
    assert.deepEqual([p["status"].phase, p["status"].qosClass], ["Pending", "BestEffort"]);
    const d = await ask("POST", deployments, deployment("generations"));
    assert.deepEqual(
      [d["spec"].replicas, d["spec"].strategy.type, d["spec"].revisionHistoryLimit, d["metadata"].generation],
      [1, "RollingUpdate", 10, 1],
    );
    const path = `${deployments}/generations`;
    assert.equal(
      (await ask("PATCH", path, { metadata: { labels: { x: "y" } } }, PATCH.merge))["metadata"].generation,
      1,
    );
    assert.equal((await ask("PATCH", path, { spec: { replicas: 2 } }, PATCH.merge))["metadata"].generation, 2);
    assert.equal(
      (await ask("PATCH", `${path}/status`, { status: { replicas: 2 } }, PATCH.merge))["metadata"].generation,
      2,
    );
    const s = await ask("POST", "/api/v1/namespaces/default/services", {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s" },
      spec: { ports: [{ port: 80 }] },
    });
    assert.match(s["spec"].clusterIP, /^10\.96\./);
    assert.deepEqual(
      [s["spec"].type, s["spec"].sessionAffinity, s["spec"].ports[0].targetPort, s["spec"].ports[0].protocol],
      ["ClusterIP", "None", 80, "TCP"],
    );
  });

  test("the status path and the main path each keep to their own", async () => {
    await ask("POST", pods, pod("paths"));
    const main = await ask(
      "PATCH",
      `${pods}/paths`,
      { metadata: { labels: { a: "1" } }, status: { phase: "Running" } },
      PATCH.merge,
    );
    assert.deepEqual([main["metadata"].labels.a, main["status"].phase], ["1", "Pending"]);
    const status = await ask(
      "PATCH",
      `${pods}/paths/status`,
      { metadata: { annotations: { b: "2" } }, status: { phase: "Running" } },
      PATCH.merge,
    );
    assert.deepEqual([status["metadata"].annotations.b, status["status"].phase], ["2", "Running"]);
    await refused(
      ask("PATCH", `${pods}/paths`, { spec: { hostNetwork: true } }, PATCH.merge),
      422,
      "Invalid",
      /pod updates may not change fields other than/,
    );
  });

  test("patches of all three kinds", async () => {
    await ask("POST", deployments, deployment("patches"));
    const path = `${deployments}/patches`;
    const containers = (d: Fields) =>
      d["spec"].template.spec.containers.map((c: Fields) => `${c["name"]}:${c["image"]}`).sort();
    const template = (list: object[]) => ({ spec: { template: { spec: { containers: list } } } });
    assert.deepEqual(containers(await ask("PATCH", path, template([{ name: "d", image: "y" }]), PATCH.strategic)), [
      "c:x",
      "d:y",
    ]);
    assert.deepEqual(
      containers(await ask("PATCH", path, template([{ name: "c", $patch: "delete" }]), PATCH.strategic)),
      ["d:y"],
    );
    assert.deepEqual(containers(await ask("PATCH", path, template([{ name: "e", image: "z" }]), PATCH.merge)), ["e:z"]);
    const replace = [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "w" }];
    assert.deepEqual(containers(await ask("PATCH", path, replace, PATCH.json)), ["e:w"]);
    await refused(ask("PATCH", path, [{ op: "test", path: "/spec/replicas", value: 99 }], PATCH.json), 422, "Invalid");
    await refused(ask("PATCH", path, {}, "text/plain"), 415, "UnsupportedMediaType");
  });

  test("conditions of a node merge by their type", async () => {
    await ask("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "conditions" } });
    const set = (type: string, status: string) =>
      ask("PATCH", "/api/v1/nodes/conditions/status", { status: { conditions: [{ type, status }] } }, PATCH.strategic);
    await set("Ready", "False");
    await set("NetworkUnavailable", "True");
    const node = await set("Ready", "True");
    assert.deepEqual(node["status"].conditions.map((c: Fields) => `${c["type"]}=${c["status"]}`).sort(), [
      "NetworkUnavailable=True",
      "Ready=True",
    ]);
  });

  test("server-side apply: ownership, conflict, force, removal", async () => {
    const apply = (manager: string, data: object, force = false) =>
      ask("PATCH", `${maps}/ssa?fieldManager=${manager}&force=${force}`, map("ssa", data), PATCH.apply);
    await apply("one", { a: "1", b: "1" });
    await refused(apply("two", { a: "2" }), 409, "Conflict", /conflict with "one"[^:]*: \.data\.a/);
    assert.deepEqual((await apply("two", { a: "2" }, true))["data"], { a: "2", b: "1" });
    assert.deepEqual((await apply("one", {}))["data"], { a: "2" }, "b was only its own");
    const again = await apply("two", { a: "2" });
    assert.equal((await apply("two", { a: "2" }))["metadata"].resourceVersion, again["metadata"].resourceVersion);
    const managers = again["metadata"].managedFields.map((m: Fields) => `${m["manager"]} ${m["operation"]}`);
    assert.ok(managers.includes("two Apply"), managers.join());
    await refused(ask("PATCH", `${maps}/ssa`, map("ssa"), PATCH.apply), 422, "Invalid", /fieldManager: Required value/);
  });

  test("deletion: at once, by a kubelet, after finalizers, with preconditions", async () => {
    const made = await ask("POST", maps, map("gone"));
    await refused(
      ask("DELETE", `${maps}/gone`, { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid: "other" } }),
      409,
      "Conflict",
    );
    const status = await ask("DELETE", `${maps}/gone`, {
      kind: "DeleteOptions",
      apiVersion: "v1",
      preconditions: { uid: made["metadata"].uid },
    });
    assert.deepEqual(
      [status["kind"], status["status"], status["details"].uid],
      ["Status", "Success", made["metadata"].uid],
    );
    await ask("POST", pods, pod("dying", { nodeName: "somewhere" }));
    const dying = await ask("DELETE", `${pods}/dying`);
    assert.equal(dying["metadata"].deletionGracePeriodSeconds, 30);
    await ask("DELETE", `${pods}/dying`, { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 });
    await refused(ask("GET", `${pods}/dying`), 404, "NotFound");
    await ask("POST", maps, map("held", {}, { finalizers: ["example.com/x"] }));
    assert.ok((await ask("DELETE", `${maps}/held`))["metadata"].deletionTimestamp);
    await refused(
      ask("PATCH", `${maps}/held`, { metadata: { finalizers: ["example.com/x", "example.com/y"] } }, PATCH.merge),
      422,
      "Invalid",
    );
    await ask("PATCH", `${maps}/held`, { metadata: { finalizers: null } }, PATCH.merge);
    await refused(ask("GET", `${maps}/held`), 404, "NotFound");
  });

  test("lists by selectors and in pages", async () => {
    for (let i = 0; i < 5; i++)
      await ask("POST", maps, map(`page-${i}`, {}, { labels: { page: "yes", odd: String(i % 2) } }));
    const names = async (query: string) =>
      (await ask("GET", `${maps}?${query}`))["items"].map((o: Fields) => o["metadata"].name);
    assert.deepEqual(await names("labelSelector=page,odd%3D1"), ["page-1", "page-3"]);
    assert.deepEqual(await names("labelSelector=page,odd+notin+(1)"), ["page-0", "page-2", "page-4"]);
    assert.deepEqual(await names("fieldSelector=metadata.name%3Dpage-2"), ["page-2"]);
    const seen: string[] = [];
    let token = "";
    do {
      const page = await ask("GET", `${maps}?labelSelector=page&limit=2&continue=${encodeURIComponent(token)}`);
      seen.push(...page["items"].map((o: Fields) => o["metadata"].name));
      token = page["metadata"].continue ?? "";
    } while (token !== "");
    assert.deepEqual(
      seen,
      [0, 1, 2, 3, 4].map((i) => `page-${i}`),
    );
    const left = await ask("DELETE", `${maps}?labelSelector=page`);
    assert.ok(left["kind"] === "ConfigMapList" || left["kind"] === "Status");
    assert.deepEqual(await names("labelSelector=page"), []);
  });

  test("a watch of what is selected sees it come, change, stop being selected, and come back", async () => {
    const { resourceVersion } = (await ask("GET", maps))["metadata"];
    const stop = new AbortController();
    const path = `${maps}?watch=1&labelSelector=color%3Dred&resourceVersion=${resourceVersion}`;
    const res = await api.connection.stream({ method: "GET", path, signal: AbortSignal.any([stop.signal, signal()]) });
    await ask("POST", maps, map("colors", {}, { labels: { color: "red" } }));
    for (const color of ["blue", "green", "red"])
      await ask("PATCH", `${maps}/colors`, { metadata: { labels: { color } } }, PATCH.merge);
    await ask("DELETE", `${maps}/colors`);
    const events: string[] = [];
    const splitter = createLineSplitter();
    for await (const piece of res as AsyncIterable<Buffer>) {
      for (const line of splitter.push(piece)) {
        const { type, object } = JSON.parse(line) as Fields;
        events.push(`${type} ${object.metadata.labels?.color}`);
      }
      if (events.length >= 4) break;
    }
    stop.abort();
    assert.deepEqual(events, ["ADDED red", "DELETED red", "ADDED red", "DELETED red"]);
  });

  test("a custom resource: served, validated, pruned, with defaults and a status of its own", async () => {
    const schema = {
      type: "object",
      properties: {
        spec: {
          type: "object",
          properties: { size: { type: "integer", maximum: 9 }, mode: { type: "string", default: "fast" } },
        },
        status: { type: "object", properties: { ready: { type: "boolean" } } },
      },
    };
    await ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "things.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "things", kind: "Thing" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: schema },
            subresources: { status: {} },
          },
        ],
      },
    });
    const things = "/apis/example.com/v1/namespaces/default/things";
    const thing = (name: string, spec: object) => ({
      apiVersion: "example.com/v1",
      kind: "Thing",
      metadata: { name },
      spec,
      status: { ready: true },
    });
    // A real server serves a new kind a moment later.
    await eventually("it is served", () =>
      ask("GET", things).then(
        () => true,
        () => false,
      ),
    );
    const made = await ask("POST", things, thing("t", { size: 3, extra: 1 }));
    assert.deepEqual([made["spec"], made["status"]], [{ size: 3, mode: "fast" }, undefined]);
    await refused(ask("POST", things, thing("u", { size: 10 })), 422, "Invalid", /spec\.size/);
    await refused(ask("POST", things, thing("u", { size: "x" })), 422, "Invalid", /spec\.size.*integer/);
    const status = await ask(
      "PATCH",
      `${things}/t/status`,
      { status: { ready: true }, spec: { size: 4 } },
      PATCH.merge,
    );
    assert.deepEqual([status["spec"].size, status["status"]], [3, { ready: true }]);
    await refused(ask("PATCH", `${things}/t`, {}, PATCH.strategic), 415, "UnsupportedMediaType");
  });

  async function follow(source: ClusterSource, way: string): Promise<void> {
    await source.whenSynced(signal());
    const { nodes, namespaces, pods: known } = source.snapshot().tables;
    assert.deepEqual(
      nodes.get("followed")?.podCidrs.map((p) => p.text),
      ["10.244.9.0/24"],
    );
    assert.ok(namespaces.has("default") && known.has("default/defaults"));
    await eventually("live", () => source.health().isLive);
    const followed = () => source.snapshot().tables.nodes.get("followed");
    await source.patchNodeAnnotations("followed", { way }, signal());
    await eventually("the annotation comes back", () => followed()?.annotations.get("way") === way);
    const condition = { type: "NetworkUnavailable", status: "False", reason: "R", message: "m" } as const;
    await source.patchNodeConditions("followed", [condition], signal());
    if (api.restart === undefined) return;
    await api.restart();
    await ask("PATCH", "/api/v1/nodes/followed", { metadata: { labels: { after: way } } }, PATCH.merge);
    await eventually("it has caught up", () => followed()?.labels.get("after") === way, 60_000);
  }

  test("the agent's client follows it, in both ways to list, and through a restart", async () => {
    const spec = { podCIDRs: ["10.244.9.0/24"], podCIDR: "10.244.9.0/24" };
    await ask("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "followed" }, spec });
    for (const initialList of ["stream", "pages"] as const) {
      const backoff = { firstMs: 20, maxMs: 200 };
      const source = createKubeSource({ config: api.config, userAgent: "x", initialList, pageSize: 2, backoff });
      const stop = new AbortController();
      const done = source.run(stop.signal);
      try {
        await follow(source, initialList);
      } finally {
        stop.abort();
        await done;
      }
    }
  });
}
