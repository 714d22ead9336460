import assert from "node:assert/strict";
import { test } from "node:test";
import { testNode } from "../../cluster/fake-source.ts";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { service, slice } from "../../service/testing.ts";
import { tableFrom } from "../../store/table.ts";
import { ServiceEngine } from "./service-engine.ts";
import { serviceReports } from "./service-report.ts";

const keyOf = (r: { readonly namespace: string; readonly name: string }) => `${r.namespace}/${r.name}`;

function engine(): ServiceEngine {
  const kernel = createFakeKernel({});
  kernel.loadPrograms(new Uint8Array([1]), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
  const made = new ServiceEngine(kernel, {
    node: "here",
    algorithm: "random",
    maglevTableSize: 251,
    nodePortAddresses: [],
    forwarding: "snat",
  });
  const web = service("web", {
    type: "NodePort",
    externalTrafficPolicy: "Local",
    externalIPs: ["192.0.2.1"],
    ports: [{ name: "http", port: 80, nodePort: 30080 }],
  });
  const endpoints = ["10.0.0.1 node=here zone=a", "10.0.0.2 ending", "10.0.0.3 unready", "10.0.0.4 gone"];
  made.update({
    nodes: tableFrom([testNode("here", [], [])], (n) => n.name),
    services: tableFrom(
      [
        web,
        service("late", { clusterIP: "10.96.0.2", externalIPs: ["192.0.2.1"] }, { creationTimestamp: "2026-01-01" }),
        service("bare", { clusterIP: "None" }),
      ],
      keyOf,
    ),
    endpointSlices: tableFrom([slice("web", endpoints, [{ name: "http", port: 8080 }])], keyOf),
  });
  return made;
}

/** Nothing is announced. */
const NOWHERE = () => undefined;

test("a load balancer's address says who announces it; others do not", () => {
  const made = engine();
  const web = service("front", { type: "LoadBalancer" }, {}, { loadBalancer: { ingress: [{ ip: "192.0.2.9" }] } });
  made.update({
    nodes: tableFrom([testNode("here", [], [])], (n) => n.name),
    services: tableFrom([web], keyOf),
    endpointSlices: tableFrom([slice("front", [])], keyOf),
  });
  const state = { nodes: ["here"], here: "held" } as const;
  const [front] = serviceReports(made, (a) => (a.text === "192.0.2.9" ? state : undefined));
  const found = front?.ports.flatMap((p) => p.frontends).map((f) => [f.kind, f.announce?.here]);
  assert.deepEqual(new Map(found as [string, string][]).get("LoadBalancer"), "held");
  assert.deepEqual(new Map(found as [string, string][]).get("ClusterIP"), undefined);
});

test("a service with its addresses, and everybody behind it with how they are", () => {
  const [web] = serviceReports(engine(), NOWHERE, "shop/web");
  const [port] = web?.ports ?? [];
  assert.deepEqual(
    port?.frontends.map((f) => `${f.kind} ${f.address} ${f.inside} ${f.outside}`),
    [
      "ClusterIP 10.96.0.1:80 cluster undefined",
      "ExternalIP 192.0.2.1:80 cluster local",
      "NodePort 0.0.0.0:30080 cluster local",
    ],
  );
  assert.deepEqual(
    port?.backends.map((b) => `${b.address} ${b.state} ${b.isInCluster} ${b.isInLocal} ${b.number > 0}`),
    [
      "10.0.0.1:8080 ready true true true",
      "10.0.0.2:8080 ending false false true",
      "10.0.0.3:8080 not ready false false false",
      "10.0.0.4:8080 gone false false false",
    ],
  );
  assert.deepEqual([web?.issues, port?.protocol, port?.name, port?.family], [[], "TCP", "http", 4]);
});

test("all services by name: who lost an address and why one has none", () => {
  const [bare, late] = serviceReports(engine(), NOWHERE);
  assert.match(bare?.unserved ?? "", /headless/);
  assert.deepEqual(late?.issues, [
    "ExternalIP 192.0.2.1:80 belongs to shop/web:80/6/4, which is older or has it as its cluster IP",
  ]);
  assert.deepEqual(serviceReports(undefined, NOWHERE), []);
  assert.deepEqual(serviceReports(engine(), NOWHERE, "shop/none"), []);
});
