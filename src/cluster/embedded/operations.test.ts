import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "./api-error.ts";
import { createCore } from "./embedded-api.ts";
import type { Fields } from "./fields.ts";
import type { KubeObject, NewObject } from "./types.ts";

function core() {
  const errors: unknown[] = [];
  const { context, deferred, stop } = createCore({ onError: (e) => errors.push(e) }, "CA");
  return { ...context, deferred, stop, errors };
}

const podOf = (name: string, spec: object = {}, metadata: object = {}): NewObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", ...metadata },
  spec: { containers: [{ name: "c", image: "x" }], ...spec },
});
const podRef = (name: string, namespace = "default") => ({ apiVersion: "v1", kind: "Pod", namespace, name });

function refused(run: () => unknown, status: number, reason: string): ApiError {
  try {
    run();
  } catch (e) {
    assert.ok(e instanceof ApiError, String(e));
    assert.deepEqual([e.httpStatus, e.code], [status, reason], e.message);
    return e;
  }
  assert.fail("it was accepted");
}

describe("create", () => {
  test("fills in what a real server fills in", () => {
    const { objects } = core();
    const pod = objects.create(podOf("p"));
    assert.match(pod.metadata.uid, /^[0-9a-f-]{36}$/);
    assert.match(pod.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(pod.metadata.generation, 1);
    const spec: Fields = pod["spec"];
    assert.equal(spec["restartPolicy"], "Always");
    assert.equal(spec["serviceAccountName"], "default");
    assert.equal(spec["containers"][0].imagePullPolicy, "Always");
    assert.deepEqual(pod["status"], { phase: "Pending", qosClass: "BestEffort" });
  });

  test("generateName makes a name, twice two", () => {
    const { objects } = core();
    const make = () =>
      objects.create({ ...podOf(""), metadata: { generateName: "web-", namespace: "default" } }).metadata.name;
    const [a, b] = [make(), make()];
    assert.match(a, /^web-[a-z0-9]{5}$/);
    assert.notEqual(a, b);
  });

  test("policies whose ranges of ports or addresses cannot be are refused with every cause", () => {
    const { objects } = core();
    const policy = (ingress: object): NewObject => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "p", namespace: "default" },
      spec: { podSelector: {}, ingress: [ingress] },
    });
    const ports = [{ port: 80, endPort: 70 }, { port: "web", endPort: 90 }, { endPort: 90 }, { port: 70000 }];
    const from = [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16", "10.0.0.0/8", "11.0.0.0/16"] } }];
    const { message } = refused(() => objects.create(policy({ ports, from })), 422, "Invalid");
    for (const cause of [
      "ports[0].endPort: Invalid value: 70: must be greater than or equal to `port`",
      "ports[1].endPort: Invalid value: 90: may not be specified when `port` is non-numeric",
      "ports[2].endPort: Invalid value: 90: may not be specified when `port` is not specified",
      "ports[3].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
      'from[0].ipBlock.except[1]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
      'from[0].ipBlock.except[2]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
    ])
      assert.ok(message.includes(`spec.ingress[0].${cause}`), `${cause} in ${message}`);
    assert.ok(!message.includes("except[0]"), message);
    objects.create(policy({ ports: [{ port: 80, endPort: 80 }, { port: "web" }, {}] }));
  });

  test("is refused: taken name, missing namespace, wrong fields with every cause", () => {
    const { objects } = core();
    objects.create(podOf("p"));
    assert.equal(refused(() => objects.create(podOf("p")), 409, "AlreadyExists").message, 'pods "p" already exists');
    const missing = refused(() => objects.create(podOf("p", {}, { namespace: "nowhere" })), 404, "NotFound");
    assert.equal(missing.message, 'namespaces "nowhere" not found');
    const bad = podOf(
      "UPPER",
      { containers: [{ name: "c", ports: [{ containerPort: 0, protocol: "TPC" }] }], restartPolicy: "Sometimes" },
      { labels: { "-": "x y" } },
    );
    const e = refused(() => objects.create(bad), 422, "Invalid");
    const fields = (e.details?.causes ?? []).map((c) => c.field);
    for (const field of [
      "metadata.name",
      "metadata.labels",
      "spec.containers[0].image",
      "spec.containers[0].ports[0].containerPort",
      "spec.containers[0].ports[0].protocol",
      "spec.restartPolicy",
    ])
      assert.ok(fields.includes(field), `${field} in ${fields}`);
    refused(() => objects.create(podOf("q", {}, { resourceVersion: "5" })), 400, "BadRequest");
  });

  test("dry run stores nothing", () => {
    const { operations, registry, objects } = core();
    const r = registry.byKind("v1", "Pod");
    assert.ok(r);
    const options = { manager: "t", dryRun: true, subresource: "", fieldValidation: "Warn", warn: () => {} } as const;
    assert.equal(operations.create(r, "default", podOf("p"), options).metadata.name, "p");
    assert.equal(objects.get(podRef("p")), undefined);
  });

  test("services get addresses of the families that they ask for, and give them back", () => {
    const { objects } = core();
    const make = (name: string, spec: object) =>
      objects.create({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace: "default" },
        spec: { ports: [{ port: 80 }], ...spec },
      })["spec"] as Fields;
    assert.equal(
      objects.get({ apiVersion: "v1", kind: "Service", namespace: "default", name: "kubernetes" })?.["spec"].clusterIP,
      "10.96.0.1",
    );
    assert.deepEqual(make("a", {})["clusterIPs"], ["10.96.0.2"]);
    assert.deepEqual(make("b", { ipFamilyPolicy: "PreferDualStack" })["clusterIPs"], ["10.96.0.3", "fd00:10:96::1"]);
    assert.deepEqual(make("c", { ipFamilies: ["IPv6"] })["clusterIPs"], ["fd00:10:96::2"]);
    assert.deepEqual(make("d", { clusterIP: "None" })["clusterIPs"], ["None"]);
    const ports = make("e", {
      type: "NodePort",
      ports: [
        { name: "x", port: 1 },
        { name: "y", port: 2 },
      ],
    })["ports"];
    assert.deepEqual(
      ports.map((p: Fields) => p["nodePort"]),
      [30000, 30001],
    );
  });
});

describe("update", () => {
  test("conflicts when somebody was faster, and says so as the API does", () => {
    const { objects } = core();
    const first = objects.create(podOf("p"));
    objects.patch(podRef("p"), { metadata: { labels: { a: "1" } } });
    const e = refused(() => objects.update(first as unknown as NewObject), 409, "Conflict");
    assert.equal(
      e.message,
      'Operation cannot be fulfilled on pods "p": the object has been modified; please apply your changes to the latest version and try again',
    );
  });

  test("counts generations for the specification only, and writes nothing for nothing", () => {
    const { objects, storage } = core();
    const ref = { apiVersion: "apps/v1", kind: "Deployment", namespace: "default", name: "d" };
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "x" }] } };
    objects.create({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d", namespace: "default" },
      spec: { selector: { matchLabels: { a: "b" } }, template },
    });
    assert.equal(objects.patch(ref, { metadata: { labels: { x: "y" } } }).metadata.generation, 1);
    assert.equal(objects.patch(ref, { spec: { replicas: 3 } }).metadata.generation, 2);
    assert.equal(objects.patch(ref, { status: { replicas: 3 } }, "status").metadata.generation, 2);
    const before = storage.revision();
    objects.patch(ref, { spec: { replicas: 3 } });
    assert.equal(storage.revision(), before);
  });

  test("status and specification each have their own path", () => {
    const { objects } = core();
    objects.create(podOf("p"));
    const main = objects.patch(podRef("p"), { metadata: { labels: { a: "1" } }, status: { phase: "Running" } });
    assert.equal(main["status"].phase, "Pending");
    const status = objects.patch(
      podRef("p"),
      { spec: { restartPolicy: "Never" }, status: { phase: "Running" } },
      "status",
    );
    assert.equal(status["status"].phase, "Running");
    assert.equal(status["spec"].restartPolicy, "Always");
  });

  test("a pod's specification is nearly immutable, its image and its first node are not", () => {
    const { objects } = core();
    objects.create(podOf("p"));
    refused(() => objects.patch(podRef("p"), { spec: { hostNetwork: true } }), 422, "Invalid");
    objects.patch(podRef("p"), { spec: { nodeName: "n1" } });
    refused(() => objects.patch(podRef("p"), { spec: { nodeName: "n2" } }), 422, "Invalid");
  });

  test("uid, name and creation time cannot be changed", () => {
    const { objects } = core();
    const pod = objects.create(podOf("p"));
    const patched = objects.patch(podRef("p"), {
      metadata: { creationTimestamp: "2000-01-01T00:00:00Z", labels: { a: "b" } },
    });
    assert.equal(patched.metadata.creationTimestamp, pod.metadata.creationTimestamp);
    refused(() => objects.patch(podRef("p"), { metadata: { uid: "x" } }), 422, "Invalid");
    refused(() => objects.patch(podRef("p"), { metadata: { name: "q" } }), 400, "BadRequest");
    refused(() => objects.patch(podRef("q"), {}), 404, "NotFound");
  });
});

describe("delete", () => {
  test("a pod without a node goes at once, one on a node when its kubelet says so", () => {
    const { objects } = core();
    objects.create(podOf("a"));
    assert.equal(objects.delete(podRef("a")), true);
    assert.equal(objects.get(podRef("a")), undefined);
    assert.equal(objects.delete(podRef("a")), false);

    objects.create(podOf("b", { nodeName: "n1" }));
    objects.delete(podRef("b"));
    const dying = objects.get(podRef("b"));
    assert.equal(dying?.metadata.deletionGracePeriodSeconds, 30);
    assert.ok(dying?.metadata.deletionTimestamp);
    objects.delete(podRef("b"), { graceSeconds: 5 });
    assert.equal(objects.get(podRef("b"))?.metadata.deletionGracePeriodSeconds, 5, "the wait can be shortened");
    objects.delete(podRef("b"), { graceSeconds: 60 });
    assert.equal(objects.get(podRef("b"))?.metadata.deletionGracePeriodSeconds, 5, "and not made longer");
    objects.delete(podRef("b"), { graceSeconds: 0 });
    assert.equal(objects.get(podRef("b")), undefined);
  });

  test("finalizers hold an object until they are gone, and none can be added then", () => {
    const { objects } = core();
    const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "c" };
    objects.create({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "c", namespace: "default", finalizers: ["x/y"] },
    });
    objects.delete(ref);
    assert.ok(objects.get(ref)?.metadata.deletionTimestamp);
    refused(() => objects.patch(ref, { metadata: { finalizers: ["x/y", "x/z"] } }), 422, "Invalid");
    objects.patch(ref, { metadata: { finalizers: null } });
    assert.equal(objects.get(ref), undefined);
  });

  test("a namespace takes everything with it, waits for its pods, and takes nothing new", async () => {
    const { objects, deferred, errors } = core();
    objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
    await deferred.idle();
    assert.ok(objects.get({ apiVersion: "v1", kind: "ServiceAccount", namespace: "n", name: "default" }), "furnished");
    objects.create(podOf("p", { nodeName: "n1" }, { namespace: "n" }));
    objects.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "n" } });
    objects.delete({ apiVersion: "v1", kind: "Namespace", name: "n" });
    await deferred.idle();
    const dying = objects.get({ apiVersion: "v1", kind: "Namespace", name: "n" });
    assert.equal(dying?.["status"].phase, "Terminating");
    assert.equal(objects.list({ apiVersion: "v1", kind: "ConfigMap", namespace: "n" }).length, 0);
    refused(() => objects.create(podOf("q", {}, { namespace: "n" })), 403, "Forbidden");
    objects.delete(podRef("p", "n"), { graceSeconds: 0 });
    await deferred.idle();
    assert.equal(objects.get({ apiVersion: "v1", kind: "Namespace", name: "n" }), undefined);
    assert.deepEqual(errors, []);
  });
});

describe("owners", () => {
  const owned = (name: string, owner: KubeObject): NewObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name,
      namespace: "default",
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: owner.metadata.name, uid: owner.metadata.uid }],
    },
  });
  const ref = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", namespace: "default", name });
  const config = (name: string): NewObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "default" },
  });

  test("what belongs to a deleted object goes too, down to grandchildren", async () => {
    const { objects, deferred } = core();
    const a = objects.create(config("a"));
    const b = objects.create(owned("b", a));
    objects.create(owned("c", b));
    objects.delete(ref("a"));
    while (objects.get(ref("c")) !== undefined) await deferred.idle();
    assert.equal(objects.get(ref("b")), undefined);
  });

  test("a second owner keeps it", async () => {
    const { objects, deferred } = core();
    const [a, z] = [objects.create(config("a")), objects.create(config("z"))];
    const both = owned("b", a);
    const second = owned("b", z).metadata["ownerReferences"] as object[];
    objects.create({
      ...both,
      metadata: { ...both.metadata, ownerReferences: [...(both.metadata["ownerReferences"] as object[]), ...second] },
    });
    objects.delete(ref("a"));
    await deferred.idle();
    assert.deepEqual(
      objects.get(ref("b"))?.metadata.ownerReferences?.map((o) => o.name),
      ["z"],
    );
  });

  test("an object whose owner never was is collected", async () => {
    const { objects, deferred } = core();
    const a = objects.create(config("a"));
    objects.delete(ref("a"));
    await deferred.idle();
    objects.create(owned("b", a));
    await deferred.idle();
    assert.equal(objects.get(ref("b")), undefined);
  });

  test("foreground deletion waits for the dependents, orphaning lets them go", async () => {
    const { objects, operations, registry, deferred } = core();
    const r = registry.byKind("v1", "ConfigMap");
    assert.ok(r);
    const how = (propagation: "Foreground" | "Orphan") => ({
      graceSeconds: undefined,
      uid: undefined,
      resourceVersion: undefined,
      dryRun: false,
      propagation,
    });
    const a = objects.create(config("a"));
    const held = owned("b", a);
    objects.create({ ...held, metadata: { ...held.metadata, finalizers: ["x/hold"] } });
    operations.delete(r, "default", "a", how("Foreground"));
    await deferred.idle();
    assert.ok(objects.get(ref("a")), "waits");
    objects.patch(ref("b"), { metadata: { finalizers: null } });
    while (objects.get(ref("a")) !== undefined) await deferred.idle();

    const o = objects.create(config("o"));
    objects.create(owned("child", o));
    operations.delete(r, "default", "o", how("Orphan"));
    await deferred.idle();
    assert.equal(objects.get(ref("o")), undefined);
    assert.ok(objects.get(ref("child")));
    assert.equal(objects.get(ref("child"))?.metadata.ownerReferences, undefined);
  });
});
