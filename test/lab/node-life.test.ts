/** Nodes that are added, re-addressed, renamed, removed and made anew, as other nodes and their own pods see it. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runIn } from "../../src/lab/box.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { addPods } from "./pods.ts";
import { until } from "./wait.ts";

const READY_MS = 180_000;
const NODE = { apiVersion: "v1", kind: "Node" };
const TAINT = { key: "twill.dev/agent-not-ready", effect: "NoSchedule" };

let lab: Lab;

before(async () => {
  lab = await startLab({ name: "test-node-life", nodes: 2 });
  await lab.ready(READY_MS);
  await addPods(lab, ["a", "node-1"], ["b", "node-2"], ["c", "node-2"]);
});

after(() => lab[Symbol.asyncDispose]());

async function twill(node: string, ...words: string[]): Promise<unknown> {
  return JSON.parse((await runIn(lab.node(node).box, ["/opt/twill/bin/twill", ...words, "--json"])).stdout);
}

/** `name → tunnel address` of the other nodes, as a node's agent has them. */
async function others(node: string): Promise<Record<string, string>> {
  const nodes = (await twill(node, "node", "list")) as { name: string; isSelf: boolean; tunnel?: string }[];
  return Object.fromEntries(nodes.filter((n) => !n.isSelf).map((n) => [n.name, n.tunnel ?? ""]));
}

/** What the programs of node-1 know of prefixes: text of the entry. */
async function inKernel(part: string): Promise<string> {
  const { entries } = (await twill("node-1", "bpf", "dump", "ipcache")) as { readonly entries: readonly object[] };
  return entries
    .map((e) => JSON.stringify(e))
    .filter((text) => text.includes(part))
    .join("\n");
}

async function verdict(from: string, to: string, timeoutMs = 10_000): Promise<string> {
  const matrix = await lab.probe({ ports: [{ protocol: "TCP", port: 80 }], timeoutMs, from: [from], to: [to] });
  return Object.values(matrix)[0]?.[from]?.[to] ?? "";
}

const ghost = (name: string, address: string, cidr: string) =>
  lab.objects.create({
    ...NODE,
    metadata: { name },
    spec: { podCIDR: cidr, podCIDRs: [cidr] },
    status: { addresses: [{ type: "InternalIP", address }] },
  });

test("another node joins, is re-addressed, renamed and removed: every node's tables follow", async () => {
  ghost("ghost", "192.168.77.201", "10.244.90.0/24");
  await until(async () => (await others("node-1"))["ghost"] === "192.168.77.201", "it to join");
  await until(async () => (await inKernel("10.244.90.0/24")).includes("192.168.77.201"), "its pods to be known");
  const status = { addresses: [{ type: "InternalIP", address: "192.168.77.202" }] };
  lab.objects.patch({ ...NODE, name: "ghost" }, { status }, "status");
  await until(async () => (await inKernel("10.244.90.0/24")).includes("192.168.77.202"), "it to be re-addressed");
  await until(async () => (await others("node-2"))["ghost"] === "192.168.77.202", "node-2 to follow as well");
  // Renamed: the machine registers by its new name, and the old object is deleted a while later.
  ghost("renamed", "192.168.77.202", "10.244.91.0/24");
  await until(
    async () => (await inKernel("10.244.91.0/24")).includes("192.168.77.202"),
    "the new name's pods to be known",
  );
  lab.objects.delete({ ...NODE, name: "ghost" });
  await until(async () => (await inKernel("10.244.90.0/24")) === "", "the old name's pods to be gone");
  assert.match(await inKernel("10.244.91.0/24"), /192\.168\.77\.202/, "the address is still the other's");
  assert.deepEqual(Object.keys(await others("node-1")).sort(), ["node-2", "renamed"]);
  lab.objects.delete({ ...NODE, name: "renamed" });
  await until(async () => (await inKernel("10.244.91.0/24")) === "", "all of it to be gone");
  // What one node had, another may be given.
  ghost("heir", "192.168.77.203", "10.244.90.0/24");
  await until(
    async () => (await inKernel("10.244.90.0/24")).includes("192.168.77.203"),
    "the CIDR to be another node's",
  );
  lab.objects.delete({ ...NODE, name: "heir" });
  await until(async () => Object.keys(await others("node-1")).join() === "node-2", "only the real ones to be left");
  assert.equal(await verdict("default/a", "default/b"), "ok");
});

test("a node whose object is deleted keeps its pods; made anew with its CIDRs, it is as before, and told anew", async () => {
  const before = lab.objects.get({ ...NODE, name: "node-2" });
  assert.ok(before);
  lab.objects.delete({ ...NODE, name: "node-2" });
  await until(async () => Object.keys(await others("node-1")).length === 0, "node-1 to forget it");
  assert.equal(await verdict("default/b", "default/c"), "ok", "its own pods go on");
  // Its agent tells what it wants, and writes it then.
  await until(async () => (await verdict("default/a", "default/b", 1_000)) !== "ok", "others not to know it");
  const { name, labels } = before.metadata;
  const { podCIDR, podCIDRs } = before["spec"];
  lab.objects.create({
    ...NODE,
    metadata: { name, labels: labels ?? {} },
    spec: { podCIDR, podCIDRs, taints: [TAINT] },
    status: { addresses: before["status"].addresses },
  });
  await until(async () => (await verdict("default/a", "default/b", 2_000)) === "ok", "everything to be as before");
  const conditions = (): readonly { type: string; status: string }[] =>
    lab.objects.get({ ...NODE, name: "node-2" })?.["status"]?.conditions ?? [];
  await until(
    () => conditions().some((c) => c.type === "NetworkUnavailable" && c.status === "False"),
    "the network to be announced anew",
  );
  await until(
    () => (lab.objects.get({ ...NODE, name: "node-2" })?.["spec"]?.taints ?? []).length === 0,
    "the taint to be gone",
  );
});

test("a node that is made anew with other CIDRs gives new pods addresses of these, and names the old ones", async () => {
  const before = lab.objects.get({ ...NODE, name: "node-2" });
  assert.ok(before);
  lab.objects.delete({ ...NODE, name: "node-2" });
  const [podCIDR, ...rest] = ["10.244.80.0/24", "fd00:10:244:80::/64"];
  lab.objects.create({
    ...NODE,
    metadata: { name: "node-2" },
    spec: { podCIDR, podCIDRs: [podCIDR, ...rest] },
    status: { addresses: before["status"].addresses },
  });
  await until(async () => (await inKernel("10.244.80.0/24")) !== "", "node-1 to know its new CIDR");
  const issues = async () =>
    ((await twill("node-2", "status")) as { issues: { message: string }[] }).issues.map((i) => i.message).join("\n");
  await until(
    async () => /pod "default\/b" is in none of this node's pod CIDRs any more/.test(await issues()),
    "the old pods to be named",
  );
  await addPods(lab, ["d", "node-2"]);
  const pod = lab.objects.get({ apiVersion: "v1", kind: "Pod", namespace: "default", name: "d" });
  assert.match(pod?.["status"]?.podIP, /^10\.244\.80\./);
  await until(async () => (await verdict("default/a", "default/d", 2_000)) === "ok", "the new pod to be reached");
  for (const name of ["b", "c"]) lab.objects.delete({ apiVersion: "v1", kind: "Pod", namespace: "default", name });
  await until(async () => !/any more/.test(await issues()), "the issue to go with the pods");
  assert.equal(await verdict("default/d", "default/a"), "ok");
});
