import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { ObjectClient } from "../../cluster/embedded/types.ts";
import { eventually, startTestApi, type TestApi } from "../../cluster/testing.ts";
import { amount, runDeployments } from "./deployments.ts";
import { runReplicaSets } from "./replica-sets.ts";

let t: TestApi;
let objects: ObjectClient;
let ends: (() => void)[];
let errors: unknown[];

beforeEach(async () => {
  t = await startTestApi();
  objects = t.api.objects;
  errors = [];
  const onError = (e: unknown) => errors.push(e);
  ends = [runDeployments(objects, onError), runReplicaSets(objects, onError)];
});

afterEach(async () => {
  for (const end of ends) end();
  await t[Symbol.asyncDispose]();
  assert.deepEqual([...errors, ...t.errors], []);
});

const ref = (kind: string, name: string, apiVersion = "apps/v1") => ({ apiVersion, kind, namespace: "default", name });
const deploy = (image: string, spec: object = {}) =>
  objects.apply({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d", namespace: "default" },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "d" } },
      template: { metadata: { labels: { app: "d" } }, spec: { containers: [{ name: "c", image }] } },
      ...spec,
    },
  });
const pods = () => objects.list({ apiVersion: "v1", kind: "Pod", namespace: "default" });
const images = () =>
  pods()
    .map((p) => p["spec"].containers[0].image)
    .sort()
    .join();
const status = () => objects.get(ref("Deployment", "d"))?.["status"] ?? {};
const condition = (type: string) => status().conditions?.find((c: { type: string }) => c.type === type)?.status;

/** A kubelet whose pods are ready at once. */
function kubelet(maxPods: { seen: number }): () => void {
  return objects.watch({ apiVersion: "v1", kind: "Pod" }, ({ type, object }) => {
    maxPods.seen = Math.max(maxPods.seen, pods().length);
    if (type !== "ADDED") return;
    setImmediate(() => {
      if (objects.get(ref("Pod", object.metadata.name, "v1")) === undefined) return;
      objects.patch(
        ref("Pod", object.metadata.name, "v1"),
        { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
        "status",
      );
    });
  });
}

test("a deployment gets its pods, replaces those that go, and is available when they are ready", async () => {
  deploy("1");
  await eventually("three pods", () => pods().length === 3);
  await eventually("not available yet", () => condition("Available") === "False");
  ends.push(kubelet({ seen: 0 }));
  for (const p of pods())
    objects.patch(
      ref("Pod", p.metadata.name, "v1"),
      { status: { conditions: [{ type: "Ready", status: "True" }] } },
      "status",
    );
  await eventually("available", () => condition("Available") === "True" && status().readyReplicas === 3);
  const [first] = pods();
  assert.ok(first);
  objects.delete(ref("Pod", first.metadata.name, "v1"));
  await eventually(
    "three again",
    () => pods().length === 3 && pods().every((p) => p.metadata.uid !== first.metadata.uid),
  );
});

test("an update rolls: never more than the surge, in the end only the new, and back again", async () => {
  const most = { seen: 0 };
  ends.push(kubelet(most));
  deploy("1", { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
  await eventually("the first version", () => images() === "1,1,1" && status().availableReplicas === 3);
  objects.patch(ref("Deployment", "d"), { spec: { template: { spec: { containers: [{ name: "c", image: "2" }] } } } });
  await eventually(
    "the second version",
    () => images() === "2,2,2" && status().updatedReplicas === 3 && status().replicas === 3,
  );
  assert.ok(most.seen <= 4, `${most.seen} pods at once`);
  assert.equal(objects.get(ref("Deployment", "d"))?.metadata.annotations?.["deployment.kubernetes.io/revision"], "2");
  objects.patch(ref("Deployment", "d"), { spec: { template: { spec: { containers: [{ name: "c", image: "1" }] } } } });
  await eventually("the first version again", () => images() === "1,1,1" && status().availableReplicas === 3);
  const sets = objects.list({ apiVersion: "apps/v1", kind: "ReplicaSet" });
  assert.equal(sets.length, 2, "the old set is used again");
});

test("Recreate ends all before it begins anew", async () => {
  const most = { seen: 0 };
  ends.push(kubelet(most));
  deploy("1", { strategy: { type: "Recreate" } });
  await eventually("the first version", () => status().availableReplicas === 3);
  objects.patch(ref("Deployment", "d"), { spec: { template: { spec: { containers: [{ name: "c", image: "2" }] } } } });
  await eventually("the second version", () => images() === "2,2,2");
  assert.equal(most.seen, 3);
});

test("scaled, to nothing too, and deleted with all that it owns", async () => {
  ends.push(kubelet({ seen: 0 }));
  deploy("1");
  for (const replicas of [5, 1, 0, 2]) {
    objects.patch(ref("Deployment", "d"), { spec: { replicas } });
    await eventually(`${replicas} pods`, () => pods().length === replicas && status().replicas === replicas);
  }
  objects.delete(ref("Deployment", "d"));
  await eventually(
    "nothing is left",
    () => pods().length === 0 && objects.list({ apiVersion: "apps/v1", kind: "ReplicaSet" }).length === 0,
  );
});

describe("amounts", () => {
  for (const [value, total, up, down] of [
    [2, 10, 2, 2],
    ["25%", 3, 1, 0],
    ["100%", 3, 3, 3],
    [undefined, 3, 0, 0],
    ["nonsense", 3, 0, 0],
  ] as const)
    test(`${value} of ${total}`, () =>
      assert.deepEqual([amount(value, total, Math.ceil), amount(value, total, Math.floor)], [up, down]));
});
