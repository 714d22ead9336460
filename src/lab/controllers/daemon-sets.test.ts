import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import { daemonPod, planDaemonSet } from "./daemon-sets.ts";
import { templateHash } from "./loop.ts";

function daemonSet(image: string): KubeObject {
  const template = { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image }] } };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "ds", namespace: "ns", uid: "u1", generation: 2 },
    spec: { template },
  } as unknown as KubeObject;
}

function podOf(
  set: KubeObject,
  node: string,
  more: { phase?: string; isReady?: boolean; isEnding?: boolean } = {},
): KubeObject {
  const pod = daemonPod(set, node);
  const status = {
    phase: more.phase ?? "Running",
    conditions: [{ type: "Ready", status: more.isReady === false ? "False" : "True" }],
  };
  const metadata = { ...pod.metadata, name: `ds-${node}`, ...(more.isEnding ? { deletionTimestamp: "now" } : {}) };
  return { ...pod, metadata, status } as unknown as KubeObject;
}

const set = daemonSet("v1");

test("a DaemonSet gets one pod for each node, bound to it and owned by the set", () => {
  const plan = planDaemonSet(set, [podOf(set, "a")], ["a", "b"]);
  assert.deepEqual(plan.toCreate, ["b"]);
  assert.deepEqual(plan.toDelete, []);
  const pod = daemonPod(set, "b");
  assert.equal((pod["spec"] as { nodeName: string }).nodeName, "b");
  assert.equal((pod.metadata["labels"] as Record<string, string>)["controller-revision-hash"], templateHash(set));
});

test("the status counts what is there", () => {
  const { status } = planDaemonSet(set, [podOf(set, "a"), podOf(set, "b", { isReady: false })], ["a", "b", "c"]);
  assert.equal(status.desiredNumberScheduled, 3);
  assert.equal(status.currentNumberScheduled, 2);
  assert.equal(status.numberReady, 1);
  assert.equal(status.numberUnavailable, 2);
  assert.equal(status.observedGeneration, 2);
});

test("pods of nodes that left and pods that ended go; the successor waits for the one that is ending", () => {
  const plan = planDaemonSet(
    set,
    [podOf(set, "gone"), podOf(set, "a", { phase: "Failed" }), podOf(set, "b", { isEnding: true })],
    ["a", "b"],
  );
  assert.deepEqual(
    plan.toDelete.map((p) => p.metadata.name),
    ["ds-gone", "ds-a"],
  );
  assert.deepEqual(plan.toCreate, ["a"]);
});

test("a changed template is rolled out one pod at a time, while all others are ready", () => {
  const next = daemonSet("v2");
  const old = [podOf(set, "a"), podOf(set, "b")];
  assert.deepEqual(
    planDaemonSet(next, old, ["a", "b"]).toDelete.map((p) => p.metadata.name),
    ["ds-a"],
  );
  const half = [podOf(next, "a", { isReady: false }), podOf(set, "b")];
  assert.deepEqual(planDaemonSet(next, half, ["a", "b"]).toDelete, []);
  assert.deepEqual(
    planDaemonSet(next, [podOf(next, "a"), podOf(set, "b")], ["a", "b"]).toDelete.map((p) => p.metadata.name),
    ["ds-b"],
  );
});
