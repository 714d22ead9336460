import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import { countOf, planDeployment, replicaSetOf } from "./deployments.ts";
import { planReplicaSet, replicaPod } from "./replica-sets.ts";

function deployment(image: string, replicas: number, strategy: object = {}): KubeObject {
  const spec = {
    replicas,
    strategy,
    selector: { matchLabels: { app: "x" } },
    template: { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image }] } },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d", namespace: "ns", uid: "d1", generation: 3 },
    spec,
  } as unknown as KubeObject;
}

function setOf(d: KubeObject, size: number, available: number, revision = 1): KubeObject {
  const set = replicaSetOf(d, size, revision);
  return {
    ...set,
    metadata: { ...set.metadata, uid: `rs${revision}` },
    status: { replicas: size, availableReplicas: available },
  } as unknown as KubeObject;
}

test("countOf() reads counts and percentages", () => {
  assert.deepEqual(
    [
      countOf(2, 10, Math.ceil),
      countOf("25%", 3, Math.ceil),
      countOf("25%", 3, Math.floor),
      countOf("x", 3, Math.floor),
    ],
    [2, 1, 0, 0],
  );
});

test("a new Deployment gets a ReplicaSet of full size under its template's hash", () => {
  const d = deployment("v1", 3);
  const plan = planDeployment(d, []);
  assert.equal(plan.fresh, undefined);
  assert.equal(plan.freshSize, 3);
  const set = replicaSetOf(d, 3, plan.revision);
  assert.match(String(set.metadata.name), /^d-[0-9a-f]{10}$/);
  assert.deepEqual(planDeployment(d, [setOf(d, 3, 2)]).status, {
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 2,
    availableReplicas: 2,
    unavailableReplicas: 1,
    observedGeneration: 3,
  });
});

test("a changed template rolls: never less than allowed stand, never more than allowed exist, and it comes to an end", () => {
  const before = deployment("v1", 4);
  const after = deployment("v2", 4);
  let old = setOf(before, 4, 4, 1);
  let fresh: KubeObject | undefined;
  for (let round = 0; round < 20; round++) {
    const plan = planDeployment(after, fresh === undefined ? [old] : [old, fresh]);
    const oldSize = plan.oldSizes[0]!.size;
    assert.ok(oldSize + plan.freshSize <= 5, "surge");
    // All that stay or stood before are available in the next round.
    assert.ok(oldSize + (fresh?.["status"].availableReplicas ?? 0) >= 3, "availability");
    old = setOf(before, oldSize, oldSize, 1);
    fresh = setOf(after, plan.freshSize, plan.freshSize, 2);
  }
  assert.equal(old["spec"].replicas, 0);
  assert.equal(fresh!["spec"].replicas, 4);
});

test("Recreate waits until the old pods are gone", () => {
  const after = deployment("v2", 2, { type: "Recreate" });
  const old = setOf(deployment("v1", 2, { type: "Recreate" }), 2, 2);
  const plan = planDeployment(after, [old]);
  assert.deepEqual([plan.freshSize, plan.oldSizes[0]!.size], [0, 0]);
  const gone = { ...old, spec: { ...old["spec"], replicas: 0 }, status: { replicas: 0 } } as KubeObject;
  assert.equal(planDeployment(after, [gone]).freshSize, 2);
});

test("a ReplicaSet makes what is missing, and deletes what is ready last", () => {
  const set = setOf(deployment("v1", 2), 2, 0);
  const pod = (name: string, isReady: boolean, phase = "Running") =>
    ({
      ...replicaPod(set),
      metadata: { ...replicaPod(set).metadata, name, creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: { nodeName: "n" },
      status: { phase, conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
    }) as unknown as KubeObject;
  assert.equal(planReplicaSet(set, [pod("a", true)]).toCreate, 1);
  const tooMany = planReplicaSet(set, [pod("a", true), pod("b", false), pod("c", true)]);
  assert.deepEqual(
    tooMany.toDelete.map((p) => p.metadata.name),
    ["b"],
  );
  const failed = planReplicaSet(set, [pod("a", true), pod("b", false, "Failed")]);
  assert.deepEqual([failed.toCreate, failed.toDelete.length, failed.status.readyReplicas], [1, 1, 1]);
});
