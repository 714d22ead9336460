import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import { type ContainerFacts, type ContainerState, type PodFacts, podPhase, podStatus } from "./status.ts";

const waiting: ContainerState = { kind: "waiting", reason: "ContainerCreating" };
const running: ContainerState = { kind: "running", startedMs: 0 };
const ended = (code: number): ContainerState => ({ kind: "terminated", code, startedMs: 0, endedMs: 1000, id: "x" });

function container(state: ContainerState, more: Partial<ContainerFacts> = {}): ContainerFacts {
  return { spec: { name: "c" }, state, last: undefined, restarts: 0, isReady: false, id: undefined, ...more };
}

function facts(containers: readonly ContainerFacts[], init: readonly ContainerFacts[] = []): PodFacts {
  return { podIPs: ["10.0.0.1", "fd00::1"], hostIPs: ["192.0.2.1"], startedMs: 0, init, containers };
}

test("podPhase() follows Kubernetes' rules", () => {
  const cases: [string, PodFacts, string][] = [
    ["Always", facts([container(waiting)]), "Pending"],
    ["Always", facts([container(running), container(waiting)]), "Pending"],
    ["Always", facts([container(running), container(running)]), "Running"],
    ["Always", facts([container(ended(0))]), "Running"],
    ["Always", facts([container(waiting, { restarts: 1 })]), "Running"],
    ["Never", facts([container(ended(0)), container(running)]), "Running"],
    ["Never", facts([container(ended(0)), container(ended(0))]), "Succeeded"],
    ["Never", facts([container(ended(0)), container(ended(2))]), "Failed"],
    ["OnFailure", facts([container(ended(0))]), "Succeeded"],
    ["OnFailure", facts([container(ended(2))]), "Running"],
    ["Always", facts([container(waiting)], [container(running)]), "Pending"],
    ["Never", facts([container(waiting)], [container(ended(1))]), "Failed"],
    ["Always", facts([container(waiting)], [container(ended(1))]), "Pending"],
    ["Always", facts([container(running)], [container(ended(0))]), "Running"],
  ];
  for (const [policy, f, want] of cases)
    assert.equal(podPhase(f, policy), want, `${policy} ${JSON.stringify(f.containers)}`);
});

test("podStatus() is ready exactly when every container is, and keeps the time of the last transition", () => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: {}, spec: {} } as unknown as KubeObject;
  const before = podStatus(pod, facts([container(running)]), 5_000);
  const ready = (s: typeof before) => s.conditions.find((c) => c.type === "Ready");
  assert.equal(ready(before)?.status, "False");
  assert.equal(ready(before)?.message, "containers with unready status: [c]");
  const later = { ...pod, status: before } as unknown as KubeObject;
  assert.equal(ready(podStatus(later, facts([container(running)]), 9_000))?.lastTransitionTime, "1970-01-01T00:00:05Z");
  const after = podStatus(later, facts([container(running, { isReady: true, id: "abc" })]), 9_000);
  assert.equal(ready(after)?.lastTransitionTime, "1970-01-01T00:00:09Z");
  assert.deepEqual(after.podIPs, [{ ip: "10.0.0.1" }, { ip: "fd00::1" }]);
  assert.equal(after.podIP, "10.0.0.1");
  assert.equal(after.containerStatuses[0]?.containerID, "twill-lab://abc");
});

test("podStatus() shows the last end of a container that was restarted", () => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: {}, spec: {} } as unknown as KubeObject;
  const last = { code: 3, startedMs: 0, endedMs: 1_000, id: "x" };
  const s = podStatus(pod, facts([container(running, { last, restarts: 2 })]), 0).containerStatuses[0];
  assert.equal(s?.restartCount, 2);
  assert.equal(s?.lastState.terminated?.exitCode, 3);
  assert.equal(s?.lastState.terminated?.reason, "Error");
});
