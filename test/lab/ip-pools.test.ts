/** Nodes that get their pod CIDRs from pools, and pools that go while pods run. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NewObject } from "../../src/cluster/embedded/types.ts";
import { runIn } from "../../src/lab/box.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { definitionsOf } from "../fixture/policy-kinds.ts";
import { addPods } from "./pods.ts";
import { until } from "./wait.ts";

const READY_MS = 180_000;
const POOL = { apiVersion: "twill.dev/v1alpha1", kind: "IPPool" };

const pool = (name: string, spec: object): NewObject => ({ ...POOL, metadata: { name }, spec });

let lab: Lab;

before(async () => {
  const first = { matchLabels: { "kubernetes.io/hostname": "node-1" } };
  lab = await startLab({
    name: "test-ip-pools",
    nodes: 2,
    agentConfig: { allocateNodeCIDRs: true },
    objects: [
      ...definitionsOf("twill.dev"),
      pool("first", { cidr: "10.66.0.0/16", nodeMaskSize: 26, nodeSelector: first, reserved: ["10.66.0.0-10.66.0.9"] }),
      pool("others", { cidr: "10.77.0.0/16" }),
      pool("six", { cidr: "fd66::/48" }),
    ],
  });
  await lab.ready(READY_MS);
});

after(() => lab[Symbol.asyncDispose]());

const podCidrs = (node: string) =>
  (lab.objects.get({ apiVersion: "v1", kind: "Node", name: node })?.["spec"]?.podCIDRs ?? []).join() as string;

async function assertReach(when: string): Promise<void> {
  const names = lab
    .endpoints()
    .filter((e) => e.kind !== "outside")
    .map((e) => e.name);
  const matrix = await lab.probe({ ports: [{ protocol: "TCP", port: 80 }], timeoutMs: 10_000, from: names, to: names });
  for (const rows of Object.values(matrix))
    for (const [from, row] of Object.entries(rows))
      for (const [to, verdict] of Object.entries(row)) assert.equal(verdict, "ok", `${when}: ${from} → ${to}`);
}

const addressOf = (name: string) =>
  lab.objects.get({ apiVersion: "v1", kind: "Pod", namespace: "default", name })?.["status"]?.podIP as string;

test("nodes are given CIDRs of the pools that are for them, and their pods reach each other", async () => {
  assert.equal(podCidrs("node-1"), "10.66.0.0/26,fd66::/64");
  assert.equal(podCidrs("node-2"), "10.77.0.0/24,fd66:0:0:1::/64");
  await addPods(lab, ["a", "node-1"], ["b", "node-2"]);
  assert.equal(addressOf("a"), "10.66.0.10", "the first that is not reserved");
  await assertReach("with the pools");
});

test("pools that are deleted and disabled keep what was given: pods go on, start, and agents start anew", async () => {
  lab.objects.delete({ ...POOL, name: "first" });
  lab.objects.patch({ ...POOL, name: "others" }, { spec: { disabled: true } });
  const disabled = () => JSON.stringify(lab.objects.get({ ...POOL, name: "others" })?.["status"] ?? "");
  await until(() => /"Disabled".*1 nodes have pod CIDRs of it/.test(disabled()), "the status to say so");
  await addPods(lab, ["c", "node-1"]);
  await assertReach("without the pool");
  const agent = () => lab.agent("node-1")?.facts();
  const restarts = agent()?.restarts ?? 0;
  assert.ok(lab.agent("node-1")?.signal("SIGKILL"));
  const isBack = () => (agent()?.restarts ?? 0) > restarts && agent()?.isReady === true;
  await until(isBack, "the agent to be back", READY_MS);
  await addPods(lab, ["d", "node-1"]);
  await assertReach("after the agent started anew");
  const routes = (await runIn(lab.node("node-2").box, ["ip", "route", "show", "dev", "twill0"])).stdout;
  assert.match(routes, /^10\.66\.0\.0\/16 /m);
  assert.equal(podCidrs("node-1"), "10.66.0.0/26,fd66::/64");
});
