import assert from "node:assert/strict";
import { test } from "node:test";
import { createCore } from "./embedded-api.ts";
import { unknownFields } from "./known-fields.ts";
import type { NewObject } from "./types.ts";

const write = (fieldValidation: "Warn" | "Strict" | "Ignore", warnings: string[]) =>
  ({
    manager: "m",
    dryRun: false,
    subresource: "",
    fieldValidation,
    warn: (w: string) => void warnings.push(w),
  }) as const;

test("misspelt fields are warned of, wherever they stand, and kept", () => {
  const { operations, registry } = createCore({}, "CA").context;
  const r = registry.byKind("v1", "Pod");
  assert.ok(r);
  const body = {
    metadata: { name: "p", lables: {} },
    spec: {
      contianers: [],
      containers: [
        { name: "c", image: "x", imagePullPolciy: "Never", ports: [{ containerPort: 80, porotocol: "UDP" }] },
      ],
    },
    statsu: {},
  };
  const warnings: string[] = [];
  const made = operations.create(r, "default", body, write("Strict", warnings));
  assert.deepEqual(warnings.sort(), [
    'unknown field "metadata.lables"',
    'unknown field "spec.containers[0].imagePullPolciy"',
    'unknown field "spec.containers[0].ports[0].porotocol"',
    'unknown field "spec.contianers"',
    'unknown field "statsu"',
  ]);
  assert.equal(made["spec"].containers[0].imagePullPolciy, "Never");
  const none: string[] = [];
  operations.create(r, "default", { ...body, metadata: { name: "q" } }, write("Ignore", none));
  assert.deepEqual(none, []);
});

test("what the server itself fills in is known", () => {
  const { objects } = createCore({}, "CA").context;
  const template = {
    metadata: { labels: { a: "b" } },
    spec: {
      hostNetwork: true,
      containers: [{ name: "c", image: "x", ports: [{ containerPort: 1 }], livenessProbe: { httpGet: { port: 1 } } }],
    },
  };
  const metadata = { name: "x", namespace: "default" };
  const workload = { selector: { matchLabels: { a: "b" } }, template };
  const examples: NewObject[] = [
    { apiVersion: "v1", kind: "Pod", metadata, spec: template.spec },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { type: "LoadBalancer", sessionAffinity: "ClientIP", ports: [{ port: 1 }] },
    },
    { apiVersion: "v1", kind: "Secret", metadata, stringData: { a: "b" } },
    { apiVersion: "v1", kind: "Node", metadata: { name: "x" } },
    ...["Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"].map((kind) => ({
      apiVersion: "apps/v1",
      kind,
      metadata,
      spec: workload,
    })),
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata,
      spec: { egress: [{ to: [{ podSelector: {} }], ports: [{ port: 1 }] }] },
    },
  ];
  for (const example of examples) {
    const made = objects.create(example);
    const storage = `${example.apiVersion === "v1" ? "" : example.apiVersion.split("/")[0]}/${{ NetworkPolicy: "networkpolicies" }[example.kind] ?? `${example.kind.toLowerCase()}s`}`;
    assert.deepEqual(unknownFields(storage, made), [], example.kind);
  }
});
