/**
 * Nodes that are reached by another address than their InternalIP: real devices, every way to choose one, and pods that talk
 * all the time.
 *
 * ```mermaid
 * flowchart LR
 *   n1[node-1] -- InternalIPs --- n2[node-2]
 *   n1 -- second0 --- n2
 * ```
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Box, runIn } from "../../src/lab/box.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { ipBatch } from "../../src/lab/underlay.ts";
import { definitionsOf } from "../fixture/policy-kinds.ts";
import { addPods } from "./pods.ts";
import { until } from "./wait.ts";

const READY_MS = 180_000;
const OWN = "twill.dev/v1alpha1";
const REF = { apiVersion: OWN, kind: "ClusterConfiguration", name: "default" };
const SECOND = { "node-1": ["10.66.0.1", "fd66::1"], "node-2": ["10.66.0.2", "fd66::2"] } as const;

let lab: Lab;

const box = (node: string): Box => lab.node(node).box;
const ip = (node: string, ...words: string[]) => runIn(box(node), ["ip", ...words]);

async function joinBySecondWire(): Promise<void> {
  const [one, two] = [box("node-1"), box("node-2")];
  await ipBatch(one, [`link add second0 type veth peer name second0 netns ${two.init.pid}`]);
  for (const node of ["node-1", "node-2"] as const) {
    const [v4, v6] = SECOND[node];
    await ip(node, "addr", "add", `${v4}/24`, "dev", "second0");
    await ip(node, "addr", "add", `${v6}/64`, "dev", "second0", "nodad");
    await ip(node, "link", "set", "second0", "up");
  }
}

before(async () => {
  lab = await startLab({ name: "test-node-address", nodes: 2 });
  for (const definition of definitionsOf("twill.dev")) lab.objects.create(definition);
  await lab.ready(READY_MS);
  await addPods(lab, ["a", "node-1"], ["b", "node-2"]);
  await joinBySecondWire();
  lab.objects.create({ apiVersion: OWN, kind: REF.kind, metadata: { name: "default" }, spec: {} });
});

after(() => lab[Symbol.asyncDispose]());

function announced(node: string): string | undefined {
  return lab.objects.get({ apiVersion: "v1", kind: "Node", name: node })?.metadata.annotations?.[
    "twill.dev/node-addresses"
  ];
}

/** The address that a node's own agent sends to another node's. */
async function tunnelTo(from: string, to: string): Promise<string> {
  const nodes = JSON.parse((await runIn(box(from), ["/opt/twill/bin/twill", "node", "list", "--json"])).stdout);
  return (nodes.find((n: { name: string }) => n.name === to)?.tunnel ?? "") as string;
}

async function assertPodsReach(when: string): Promise<void> {
  const matrix = await lab.probe({
    ports: [{ protocol: "TCP", port: 80 }],
    timeoutMs: 10_000,
    from: ["default/a", "default/b"],
    to: ["default/a", "default/b"],
  });
  for (const rows of Object.values(matrix))
    for (const [from, row] of Object.entries(rows))
      for (const [to, verdict] of Object.entries(row)) assert.equal(verdict, "ok", `${when}: ${from} → ${to}`);
}

/** Packets that came over the second wire. */
async function received(node: string): Promise<number> {
  const [link] = JSON.parse((await ip(node, "-s", "-j", "link", "show", "second0")).stdout);
  return link.stats64.rx.packets as number;
}

const WAYS: readonly (readonly [v4: string, v6: string])[] = [
  ["interface=second0", "internal-ip"],
  ["interface=sec*", "interface=second[0-9]"],
  ["cidr=10.66.0.0/16", "cidr=fd66::/16"],
  ["can-reach=10.66.0.77", "can-reach=fd66::77"],
  ["skip-interface=eth.*", "skip-interface=eth*"],
];

for (const [ipv4, ipv6] of WAYS)
  test(`nodes are reached over the second wire: ${ipv4}, ${ipv6}`, async () => {
    const home = await tunnelTo("node-1", "node-2");
    assert.ok(!home.startsWith("10.66.") && !home.startsWith("fd66:"), home);
    lab.objects.patch(REF, { spec: { nodeAddress: { ipv4, ipv6 } } });
    for (const node of ["node-1", "node-2"] as const) {
      const [v4, v6] = SECOND[node];
      const wanted = ipv6 === "internal-ip" ? v4 : `${v4},${v6}`;
      await until(() => announced(node) === wanted, `${node} to announce ${wanted}`);
    }
    await until(async () => (await tunnelTo("node-1", "node-2")).includes("66"), "node-1 to follow node-2");
    await until(async () => (await tunnelTo("node-2", "node-1")).includes("66"), "node-2 to follow node-1");
    // What agents say of each other is written to the kernel a moment later.
    await until(async () => {
      const before = await received("node-2");
      await assertPodsReach(`by ${ipv4}`);
      return (await received("node-2")) > before + 3;
    }, "packets to take the second wire");
    lab.objects.patch(REF, { spec: { nodeAddress: null } });
    await until(
      () => announced("node-1") === undefined && announced("node-2") === undefined,
      "nothing to be announced",
    );
    await until(async () => (await tunnelTo("node-1", "node-2")) === home, "the InternalIP to count again");
    await assertPodsReach("by the InternalIPs again");
  });

test("what is not found is told, and changes nothing; a device that loses its address does not move the node", async () => {
  lab.objects.patch(REF, { spec: { nodeAddress: { ipv4: "interface=second0" } } });
  await until(
    () => announced("node-1") === SECOND["node-1"][0] && announced("node-2") === SECOND["node-2"][0],
    "both to announce",
  );
  lab.objects.patch(REF, { spec: { nodeAddress: { ipv4: "interface=nowhere0" } } });
  const issues = async () => {
    const status = JSON.parse((await runIn(box("node-1"), ["/opt/twill/bin/twill", "status", "--json"])).stdout);
    return status.issues.map((i: { path: string; message: string }) => `${i.path}: ${i.message}`).join("\n") as string;
  };
  await until(
    async () => /nodeAddress\.ipv4: "interface=nowhere0" finds no IPv4 address/.test(await issues()),
    "the issue",
  );
  assert.equal(announced("node-1"), SECOND["node-1"][0]);
  await assertPodsReach("with the address of before");
  lab.objects.patch(REF, { spec: { nodeAddress: { ipv4: "interface=second0" } } });
  await ip("node-1", "addr", "del", "10.66.0.1/24", "dev", "second0");
  await ip("node-1", "addr", "add", "10.66.0.9/24", "dev", "second0");
  await until(() => announced("node-1") === "10.66.0.9", "the node to be re-addressed");
  await until(async () => (await tunnelTo("node-2", "node-1")) === "10.66.0.9", "node-2 to follow");
  await assertPodsReach("re-addressed");
});
