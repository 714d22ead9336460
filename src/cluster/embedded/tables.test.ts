import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jsonPathText } from "./json-path.ts";
import { createRegistry } from "./registry.ts";
import { tableOf } from "./table.ts";
import { duration } from "./table-cells.ts";
import { podStatus } from "./table-pod.ts";
import type { KubeObject } from "./types.ts";

const registry = createRegistry();

function object(apiVersion: string, kind: string, rest: object = {}, metadata: object = {}): KubeObject {
  const meta = { name: "x", uid: "u", resourceVersion: "1", creationTimestamp: new Date().toISOString(), ...metadata };
  return { apiVersion, kind, metadata: meta, ...rest } as KubeObject;
}

/** The cells as `kubectl get -o wide` shows them, without ages. */
function cells(o: KubeObject): unknown[] {
  const r = registry.byKind(o.apiVersion, o.kind);
  assert.ok(r);
  const table = tableOf(r, [o], "None");
  const names = table["columnDefinitions"].map((c: { name: string }) => c.name);
  return table["rows"][0].cells.filter((_: unknown, i: number) => names[i] !== "Age");
}

for (const [ms, text] of [
  [0, "0s"],
  [119_000, "119s"],
  [120_000, "2m"],
  [125_000, "2m5s"],
  [600_000, "10m"],
  [179 * 60_000, "179m"],
  [180 * 60_000, "3h"],
  [(7 * 60 + 5) * 60_000, "7h5m"],
  [47 * 3_600_000, "47h"],
  [49 * 3_600_000, "2d1h"],
  [9 * 86_400_000, "9d"],
  [800 * 86_400_000, "2y70d"],
] as const)
  test(`${ms} ms is ${text}`, () => assert.equal(duration(ms), text));

test("a running pod, wide", () => {
  const pod = object("v1", "Pod", {
    spec: { nodeName: "node-1", containers: [{ name: "a" }, { name: "b" }] },
    status: {
      phase: "Running",
      podIP: "10.244.1.5",
      podIPs: [{ ip: "10.244.1.5" }, { ip: "fd00::5" }],
      containerStatuses: [
        { name: "a", ready: true, restartCount: 0, state: { running: {} } },
        { name: "b", ready: false, restartCount: 0, state: { running: {} } },
      ],
    },
  });
  assert.deepEqual(cells(pod), ["x", "1/2", "Running", "0", "10.244.1.5", "node-1", "<none>", "<none>"]);
});

test("the status of a pod is the word that users know", () => {
  const status = (s: object, spec: object = {}, metadata: object = {}) =>
    podStatus(object("v1", "Pod", { spec: { containers: [{ name: "c" }], ...spec }, status: s }, metadata));
  const c = (state: object, more: object = {}) => ({
    phase: "Running",
    containerStatuses: [{ name: "c", state, ...more }],
  });
  assert.equal(status({ phase: "Pending" }), "Pending");
  assert.equal(status(c({ waiting: { reason: "ContainerCreating" } })), "ContainerCreating");
  assert.equal(status(c({ waiting: { reason: "CrashLoopBackOff" } })), "CrashLoopBackOff");
  assert.equal(status(c({ terminated: { reason: "Completed", exitCode: 0 } })), "Completed");
  assert.equal(status(c({ terminated: { exitCode: 3 } })), "ExitCode:3");
  assert.equal(status(c({ terminated: { signal: 9 } })), "Signal:9");
  assert.equal(status({ phase: "Failed", reason: "Evicted" }), "Evicted");
  const over = { ...c({ terminated: { reason: "Completed", exitCode: 0 } }), phase: "Succeeded" };
  assert.equal(status(over, {}, { deletionTimestamp: "2026-01-01T00:00:00Z" }), "Completed");
  assert.equal(
    status(c({ running: {} }, { ready: true }), {}, { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    "Terminating",
  );
  const init = { initContainers: [{ name: "i" }, { name: "j" }] };
  assert.equal(
    status({ phase: "Pending", initContainerStatuses: [{ name: "i", state: { running: {} } }] }, init),
    "Init:0/2",
  );
  assert.equal(
    status(
      {
        phase: "Pending",
        initContainerStatuses: [{ name: "i", state: { terminated: { exitCode: 1, reason: "Error" } } }],
      },
      init,
    ),
    "Init:Error",
  );
});

test("nodes, wide", () => {
  const node = object(
    "v1",
    "Node",
    {
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [{ type: "InternalIP", address: "192.168.77.11" }],
        nodeInfo: {
          kubeletVersion: "v1.32.0",
          osImage: "Debian",
          kernelVersion: "6.1",
          containerRuntimeVersion: "lab://1",
        },
      },
    },
    { labels: { "node-role.kubernetes.io/control-plane": "" } },
  );
  assert.deepEqual(cells(node), [
    "x",
    "Ready,SchedulingDisabled",
    "control-plane",
    "v1.32.0",
    "192.168.77.11",
    "<none>",
    "Debian",
    "6.1",
    "lab://1",
  ]);
  assert.deepEqual(cells(object("v1", "Node")), [
    "x",
    "Unknown",
    "<none>",
    "",
    "<none>",
    "<none>",
    "<unknown>",
    "<unknown>",
    "<unknown>",
  ]);
});

test("workloads, services, endpoints, slices", () => {
  const template = { spec: { nodeSelector: { a: "b" }, containers: [{ name: "c", image: "i" }] } };
  const selector = { matchLabels: { app: "x" } };
  const ds = {
    spec: { template, selector },
    status: {
      desiredNumberScheduled: 3,
      currentNumberScheduled: 3,
      numberReady: 2,
      updatedNumberScheduled: 3,
      numberAvailable: 2,
    },
  };
  assert.deepEqual(cells(object("apps/v1", "DaemonSet", ds)), ["x", 3, 3, 2, 3, 2, "a=b", "c", "i", "app=x"]);
  const deployment = {
    spec: { replicas: 2, template, selector },
    status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
  };
  assert.deepEqual(cells(object("apps/v1", "Deployment", deployment)), ["x", "1/2", 2, 1, "c", "i", "app=x"]);
  const service = {
    spec: {
      type: "NodePort",
      clusterIP: "10.96.0.9",
      ports: [
        { port: 80, nodePort: 30001, protocol: "TCP" },
        { port: 53, protocol: "UDP" },
      ],
      selector: { a: "b" },
    },
  };
  assert.deepEqual(cells(object("v1", "Service", service)), [
    "x",
    "NodePort",
    "10.96.0.9",
    "<none>",
    "80:30001/TCP,53/UDP",
    "a=b",
  ]);
  assert.deepEqual(cells(object("v1", "Service", { spec: { type: "LoadBalancer", ports: [] } })), [
    "x",
    "LoadBalancer",
    "<none>",
    "<pending>",
    "<none>",
    "<none>",
  ]);
  const subsets = [
    {
      addresses: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }, { ip: "10.0.0.2" }, { ip: "10.0.0.3" }],
      ports: [{ port: 80 }],
    },
  ];
  assert.deepEqual(cells(object("v1", "Endpoints", { subsets })), [
    "x",
    "10.0.0.1:80,[fd00::1]:80,10.0.0.2:80 + 1 more...",
  ]);
  const slice = { addressType: "IPv4", ports: [{ port: 80 }], endpoints: [{ addresses: ["10.0.0.1"] }] };
  assert.deepEqual(cells(object("discovery.k8s.io/v1", "EndpointSlice", slice)), ["x", "IPv4", "80", "10.0.0.1"]);
});

test("an object of any shape gives a row for every kind", () => {
  for (const r of registry.all())
    for (const odd of [
      {},
      { spec: 1, status: "x" },
      { spec: { containers: 3, ports: {} }, status: { conditions: "no", podIPs: 1, containerStatuses: {} } },
    ]) {
      const apiVersion = r.group === "" ? r.version : `${r.group}/${r.version}`;
      const table = tableOf(r, [object(apiVersion, r.kind, odd)], "Metadata");
      assert.equal(table["rows"][0].cells.length, table["columnDefinitions"].length, r.kind);
    }
});

describe("paths of printer columns", () => {
  const o = {
    spec: {
      a: { "b.c": 7 },
      list: [
        { type: "Ready", status: "True" },
        { type: "X", status: "False" },
      ],
    },
    metadata: { labels: { "x/y": "z" } },
  };
  for (const [path, expected] of [
    [".spec.list[0].type", "Ready"],
    [".spec.list[-1].type", "X"],
    ['.spec.list[?(@.type=="Ready")].status', "True"],
    [".spec.list[*].type", "Ready,X"],
    [".spec.a['b.c']", "7"],
    [".spec.a.b\\.c", undefined],
    [".metadata.labels['x/y']", "z"],
    ["{.spec.list[0].status}", "True"],
    [".nowhere.at.all", undefined],
    [".spec.list[", undefined],
  ] as const)
    test(path, () => assert.equal(jsonPathText(o, path), expected));
});
