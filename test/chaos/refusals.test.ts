/** What goes wrong on nodes, through the real plugin: each with an error that says what it is and what would be right. */

import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { CNI_CODE } from "../../src/cni/error.ts";
import { runIn } from "../../src/lab/box.ts";
import { CniFailure } from "../../src/lab/kubelet/cni.ts";
import { probe } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { takeInventory } from "../fixture/inventory.ts";
import { type LiveEnd, LiveFlow } from "../fixture/live-flow.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { answerAt, TEST_PORT } from "../fixture/traffic.ts";
import {
  addPod,
  deletePod,
  type NodesOptions,
  openNodes,
  type Pod,
  startNodes,
  type TwillNode,
} from "../fixture/twill-nodes.ts";

/** A plugin's error as it stands on standard output. */
interface Refusal {
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

async function withNode(options: Omit<NodesOptions, "count">, use: (node: TwillNode) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const [node] = (await startNodes(stack, { count: 1, ...options })) as [TwillNode];
  await use(node);
}

/** Calls the plugin and demands that it refuses. */
async function refused(node: TwillNode, env: Record<string, string>, stdin?: string): Promise<Refusal> {
  const { name, version: cniVersion, plugins } = node.network();
  const config = stdin ?? JSON.stringify({ ...plugins.find((p) => p.type === "twill"), name, cniVersion });
  const output = await runIn(node.box, ["/opt/cni/bin/twill"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: "refused",
      CNI_IFNAME: "eth0",
      CNI_PATH: "/opt/cni/bin",
      ...env,
    },
    input: config,
  });
  assert.notEqual(output.code, 0, `it did not refuse but said ${output.stdout}`);
  const refusal = JSON.parse(output.stdout) as Refusal;
  assert.ok(refusal.msg.length > 0);
  return refusal;
}

/** Adds pods until one is refused. */
async function fill(node: TwillNode, atMost: number): Promise<{ pods: Pod[]; failure: CniFailure }> {
  const pods: Pod[] = [];
  for (let i = 0; i < atMost; i++) {
    try {
      pods.push(await addPod(node, { name: `fill-${i}` }));
    } catch (failure) {
      assert.ok(failure instanceof CniFailure, String(failure));
      return { pods, failure };
    }
  }
  return assert.fail(`${atMost} pods were attached and none was refused`);
}

describe("refusals", () => {
  test("wrong JSON, a missing namespace, an interface that exists", () =>
    withNode({}, async (node) => {
      const netns = "/run/netns/there";
      await node.run(["sh", "-ec", "ip netns add there; ip -n there link add eth0 type veth peer name other"]);
      const json = await refused(node, { CNI_NETNS: netns }, '{"cniVersion": "1.0.0", ');
      assert.equal(json.code, CNI_CODE.decode);
      assert.match(json.msg, /JSON/);
      const missing = await refused(node, { CNI_NETNS: "/run/netns/nowhere" });
      assert.equal(missing.code, CNI_CODE.containerUnknown);
      assert.match(missing.msg, /"\/run\/netns\/nowhere"/);
      const exists = await refused(node, { CNI_NETNS: netns });
      assert.equal(exists.code, CNI_CODE.interfaceExists);
      assert.match(exists.msg, /"eth0"/);
      // What was there before is not touched, and nothing of ours is left.
      await node.run(["ip", "-n", "there", "link", "show", "eth0"]);
      assert.deepEqual(await takeInventory(node), { ledger: [], map: [], ledgerDevices: [], devices: [], pins: [] });
    }));

  test("a pool that is used up: ADD names it with its figures, STATUS says that pods cannot start, DEL makes room", () =>
    withNode({ podCidrs: ["10.244.1.0/29", "fd00:10:244:1::/64"] }, async (node) => {
      const { pods, failure } = await fill(node, 8);
      assert.equal(failure.code, CNI_CODE.poolExhausted);
      assert.match(failure.message, /10\.244\.1\.0\/29/);
      assert.match(failure.message, new RegExp(`\\b${pods.length}\\b`), "says how many are in use");
      const status = await refused(node, { CNI_COMMAND: "STATUS" });
      assert.equal(status.code, CNI_CODE.notAvailable);
      assert.equal((await takeInventory(node)).devices.length, pods.length);
      await deletePod(pods.pop()!);
      pods.push(await addPod(node));
      for (const pod of pods) await deletePod(pod);
    }));

  test("a full map: the pod is refused, nothing of it is left, and the others keep their network", () =>
    withNode({ config: { maps: { endpoints: 16 } } }, async (node) => {
      const { pods, failure } = await fill(node, 20);
      assert.match(failure.message, /map "endpoints" is full/);
      assert.match(failure.message, /maps\.endpoints/, "says which setting would help");
      const { devices, map } = await takeInventory(node);
      assert.equal(devices.length, pods.length);
      assert.equal(map.length, pods.length * 2);
      for (const pod of pods) await deletePod(pod);
      assert.equal((await takeInventory(node)).map.length, 0);
    }));

  test("a full connection table: new flows wait, the first one goes on, and status says what would help", () =>
    withNode({ config: { maps: { ct_tcp: 16 } } }, async (node) => {
      const [client, server] = [await addPod(node), await addPod(node)];
      using responder = new Responder();
      await answerAt(responder, { name: "server", netns: server.netns, addresses: server.addresses });
      const to = server.addresses[0]!;
      const ask = () => probe({ netns: client.netns, protocol: "TCP", to, port: TEST_PORT, timeoutMs: 5_000 });
      const ends = [client, server].map(({ netns, addresses }) => ({ netns, address: addresses[0]! }));
      using first = await LiveFlow.open("first", "TCP", ends as [LiveEnd, LiveEnd], TEST_PORT + 1);
      // At once: flows that have ended make room after ten seconds, in which a slow machine asks few times one after the other.
      const verdicts = await Promise.all(Array.from({ length: 32 }, async () => (await ask()).verdict));
      assert.ok(verdicts.includes("timeout"), verdicts.join(" "));
      assert.ok(verdicts.filter((v) => v === "ok").length > 8, verdicts.join(" "));
      // What was established is not evicted: its packets arrive in both directions.
      first.tick("full");
      await waitFor("the first flow's packets", () => first.lanes.every((lane) => lane.arrived.has(0)), 60_000);
      // Flows end and make room again: on a slow machine before status is asked.
      const status = await waitFor(
        "status to find the table full",
        async () => {
          await Promise.all([ask(), ask(), ask(), ask()]);
          const text = await node.cli("status");
          return text.includes('"ct_tcp" is 100% full') && text;
        },
        120_000,
      );
      assert.match(status, /map "ct_tcp" is 100% full: raise maps\.ct_tcp/);
      assert.match(status, /dropped: .*ct_full/);
    }));

  for (const agent of ["present", "away"] as const) {
    test(`a damaged ledger with the agent ${agent}: refused with what to do, never overwritten`, async () => {
      await using stack = new AsyncDisposableStack();
      const [node] = (await openNodes(stack, { count: 1 })) as [TwillNode];
      node.startAgent();
      stack.defer(() => node.stopAgent());
      await node.whenReady();
      const network = node.network();
      await node.stopAgent();
      const path = `${node.box.root}/run/twill/ledger.db`;
      const garbage = Buffer.alloc(8192, "not a database ");
      renameSync(path, `${path}.kept`);
      for (const suffix of ["-wal", "-shm"]) await node.run(["rm", "-f", `/run/twill/ledger.db${suffix}`]);
      writeFileSync(path, garbage);
      if (agent === "present") node.startAgent();
      await node.run(["ip", "netns", "add", "there"]);
      const refusal = await refused(node, { CNI_NETNS: "/run/netns/there" });
      assert.equal(refusal.code, CNI_CODE.ledgerRefused, JSON.stringify(refusal));
      assert.match(refusal.msg, /ledger\.db/);
      assert.ok(readFileSync(path).equals(garbage), "the file is as it was");
      if (agent === "away") return;
      await node.killAgent();
      // What the message says would be right: without the file, the node starts anew.
      await node.run(["rm", "/run/twill/ledger.db"]);
      node.startAgent();
      await node.whenReady();
      await deletePod(await addPod(node, { network }), network);
    });
  }
});
