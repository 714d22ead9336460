/** The cluster's configuration, applied while agents run and taken back. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AGENT_SET } from "../../src/lab/agent-set.ts";
import { runIn } from "../../src/lab/box.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { definitionsOf } from "../fixture/policy-kinds.ts";
import { until } from "./wait.ts";

const OWN = "twill.dev/v1alpha1";
const READY_MS = 180_000;
const CLUSTER = { apiVersion: OWN, kind: "ClusterConfiguration", name: "default" };

let lab: Lab;

before(async () => {
  lab = await startLab({ name: "test-configuration", nodes: 2 });
  for (const definition of definitionsOf("twill.dev")) lab.objects.create(definition);
  await lab.ready(READY_MS);
});

after(() => lab[Symbol.asyncDispose]());

async function mtuOf(node: string): Promise<number> {
  const links = JSON.parse((await runIn(lab.node(node).box, ["ip", "-j", "link", "show", "twill0"])).stdout);
  return links[0].mtu as number;
}

const mtus = async () => [await mtuOf("node-1"), await mtuOf("node-2")].join();

function says(ref: { readonly apiVersion: string; readonly kind: string; readonly name: string }): string {
  const conditions: readonly { type: string; status: string; reason: string }[] =
    lab.objects.get(ref)?.["status"]?.conditions ?? [];
  return conditions
    .map((c) => `${c.type}=${c.status} ${c.reason}`)
    .sort()
    .join();
}

test("what is set for all nodes and for one takes effect, is overruled, and goes when it is taken away", async () => {
  const plain = await mtus();
  lab.objects.create({ apiVersion: OWN, kind: CLUSTER.kind, metadata: { name: "default" }, spec: { mtu: 1380 } });
  await until(async () => (await mtus()) === "1380,1380", "both nodes to follow");
  await until(() => says(CLUSTER) === "Accepted=True Valid,Ready=True InEffect", "the status to say so");
  const spec = { nodes: ["node-2"], config: { mtu: 1300 } };
  lab.objects.create({ apiVersion: OWN, kind: "NodeConfiguration", metadata: { name: "two" }, spec });
  await until(async () => (await mtus()) === "1380,1300", "node-2 to be its own");
  lab.objects.patch(CLUSTER, { spec: { mtu: 1400, tunel: { port: 1 } } });
  await until(() => says(CLUSTER) === "Accepted=False Invalid,Ready=False Invalid", "the mistake to be told");
  assert.equal(await mtus(), "1380,1300", "nothing of it is taken over");
  lab.objects.delete({ apiVersion: OWN, kind: "NodeConfiguration", name: "two" });
  lab.objects.delete(CLUSTER);
  await until(async () => (await mtus()) === plain, "everything to be as before");
});

test("what an agent reads at its start waits for it, and the status names it", async () => {
  const spec = { ipam: { coolDownSeconds: 7 } };
  lab.objects.create({ apiVersion: OWN, kind: CLUSTER.kind, metadata: { name: "default" }, spec });
  await until(() => says(CLUSTER) === "Accepted=True Valid,Ready=False RestartNeeded", "both to wait");
  const status = JSON.parse((await runIn(lab.node("node-1").box, ["/opt/twill/bin/twill", "status", "--json"])).stdout);
  assert.ok(
    status.issues.some((i: { path: string }) => i.path === "ipam.coolDownSeconds"),
    JSON.stringify(status.issues),
  );
  const set = { apiVersion: "apps/v1", kind: "DaemonSet", namespace: AGENT_SET.namespace, name: AGENT_SET.name };
  lab.objects.patch(set, { spec: { template: { metadata: { annotations: { restarted: "1" } } } } });
  await until(
    () => says(CLUSTER) === "Accepted=True Valid,Ready=True InEffect",
    "restarted agents to have it",
    READY_MS,
  );
});

test("a node that is told to be not ready for pods by the taint is freed by its agent", async () => {
  const node = { apiVersion: "v1", kind: "Node", name: "node-2" };
  const taints = () => (lab.objects.get(node)?.["spec"]?.taints ?? []).map((t: { key: string }) => t.key).join();
  const [gone, other] = [
    { key: "twill.dev/agent-not-ready", effect: "NoSchedule" },
    { key: "own", effect: "NoSchedule" },
  ];
  lab.objects.patch(node, { spec: { taints: [gone, other] } });
  await until(() => taints() === "own", "the start-up taint to be gone");
  lab.objects.patch(CLUSTER, { spec: { startupTaint: "none", ipam: null } });
  await until(() => says(CLUSTER).includes("RestartNeeded"), "the configuration to be followed");
  lab.objects.patch(node, { spec: { taints: [gone] } });
  lab.objects.patch(CLUSTER, { spec: { startupTaint: "own" } });
  lab.objects.patch(node, { spec: { taints: [gone, other] } });
  await until(() => taints() === gone.key, "the other key to be the one that counts");
  lab.objects.delete(CLUSTER);
  await until(() => taints() === "", "the default to count again");
});
