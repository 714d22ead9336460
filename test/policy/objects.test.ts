/** What policies speak of beside pods, and what objects say of themselves, with real agents and packets: services, refused policies. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NewObject } from "../../src/cluster/embedded/types.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { policyDefinitions } from "../fixture/policy-kinds.ts";
import { addPods } from "../lab/pods.ts";
import { until } from "../lab/wait.ts";

const READY_MS = 120_000;
/** Until a change shows in packets, on a busy machine. */
const SHOWN_MS = 120_000;
/** Nothing is lost on this wire: what has not answered by then was dropped. */
const PROBE_MS = 300;

let lab: Lab;

before(async () => {
  lab = await startLab({ name: "test-policy-objects", nodes: 2, objects: policyDefinitions() });
  await lab.ready(READY_MS);
  await addPods(lab, ["a", "node-1"], ["b", "node-1"], ["c", "node-2"]);
});

after(() => lab?.[Symbol.asyncDispose]());

/** Who reaches whom on 80/TCP and 81/UDP in both families, as `a>b tcp`. */
async function reaches(): Promise<string[]> {
  const ports = [
    { protocol: "TCP", port: 80 },
    { protocol: "UDP", port: 81 },
  ] as const;
  const names = ["a", "b", "c"].map((n) => `default/${n}`);
  const matrix = await lab.probe({ ports, from: names, to: names, timeoutMs: PROBE_MS });
  const found: string[] = [];
  for (const [port, rows] of Object.entries(matrix))
    for (const [from, row] of Object.entries(rows))
      for (const [to, verdict] of Object.entries(row)) {
        // Where families differ, which they do while a change is being made, the cell says how and is what nobody expects.
        if ((verdict === "ok" || verdict.includes(":")) && from !== to)
          found.push(
            `${from.slice(-1)}>${to.slice(-1)} ${port.slice(3).toLowerCase()}${verdict === "ok" ? "" : ` ${verdict}`}`,
          );
      }
  return found.sort();
}

const EVERYBODY = ["a", "b", "c"].flatMap((x) =>
  ["a", "b", "c"].filter((y) => y !== x).flatMap((y) => [`${x}>${y} tcp`, `${x}>${y} udp`]),
);

async function comesTo(expected: readonly string[], what: string): Promise<void> {
  let found: string[] = [];
  await until(
    async () => {
      found = await reaches();
      return found.join() === [...expected].sort().join();
    },
    what,
    SHOWN_MS,
  ).catch(() => assert.deepEqual(found, [...expected].sort(), what));
}

const without = (...pairs: readonly string[]) => EVERYBODY.filter((e) => !pairs.some((p) => e.startsWith(p)));

const CALICO = { apiVersion: "projectcalico.org/v3", kind: "NetworkPolicy", namespace: "default" };
const CILIUM = { apiVersion: "cilium.io/v2", kind: "CiliumNetworkPolicy", namespace: "default" };

function create(of: typeof CALICO, name: string, spec: object): void {
  const { namespace, ...kind } = of;
  lab.objects.create({ ...kind, metadata: { name, namespace }, spec } as NewObject);
}

test("a service in a policy is the pods behind it, as they come and go", async () => {
  await comesTo(EVERYBODY, "open without policies");
  lab.objects.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "api", namespace: "default", labels: { app: "api" } },
    spec: { selector: { role: "api" }, ipFamilyPolicy: "PreferDualStack", ports: [{ port: 80, protocol: "TCP" }] },
  });
  create(CALICO, "to-api", {
    selector: "node == 'node-1'",
    types: ["Egress"],
    egress: [{ action: "Allow", destination: { services: { name: "api" } } }],
  });
  await comesTo(without("a>", "b>"), "nobody is behind it");
  const c = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "c" };
  lab.objects.patch(c, { metadata: { labels: { role: "api" } } });
  await comesTo([...without("a>", "b>"), "a>c tcp", "b>c tcp"], "c is behind it, on its port");
  lab.objects.patch(c, { metadata: { labels: { role: null } } });
  await comesTo(without("a>", "b>"), "c is not any more");
  lab.objects.delete({ ...CALICO, name: "to-api" });
  await comesTo(EVERYBODY, "open again");
});

test("a refused policy closes its pods and says why on its object, until it is put right; a later mistake changes nothing", async () => {
  const ref = { ...CILIUM, name: "mistaken" };
  const conditions = () =>
    (lab.objects.get(ref)?.["status"]?.conditions ?? []) as {
      type: string;
      status: string;
      message: string;
      observedGeneration: number;
    }[];
  const said = (generation: number) =>
    conditions()
      .filter((c) => c.observedGeneration === generation)
      .map((c) => `${c.type} ${c.status}`)
      .sort()
      .join();
  const node2 = { matchLabels: { node: "node-2" } };
  create(CILIUM, "mistaken", { endpointSelector: node2, ingress: [{ fromEndpoint: [{}] }], egress: [{}] });
  await comesTo(without("a>c", "b>c", "c>"), "c is closed");
  await until(() => said(1) === "Accepted False,Enforced False", "the object says so", SHOWN_MS);
  assert.match(
    conditions().find((c) => c.type === "Accepted")?.message ?? "",
    /spec\.ingress\[0\]\.fromEndpoint: Unknown field/,
  );
  lab.objects.patch(ref, { spec: { endpointSelector: node2, ingress: [{ fromEndpoints: [{}] }], egress: null } });
  await comesTo(EVERYBODY, "what it allows is allowed");
  await until(() => said(2) === "Accepted True,Enforced True", "the object says so", SHOWN_MS);
  lab.objects.patch(ref, { spec: { ingress: [{ fromEndpoint: [{}] }] } });
  await until(() => said(3) === "Accepted False,Enforced False", "the object says so", SHOWN_MS);
  await comesTo(EVERYBODY, "the earlier version is in force");
  lab.objects.delete(ref);
});
