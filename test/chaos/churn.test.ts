/** 1,000 ADD and DEL while agent and plugins are killed at random points, and a reboot: nothing is left over. */

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { probe } from "../../src/lab/probe/probe.ts";
import { type Inventory, takeInventory } from "../fixture/inventory.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { addPod, checkPod, deletePod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";
import { Churn, randomNumbers } from "./churn.ts";

const OPERATIONS = Number(process.env["TWILL_CHURN_OPERATIONS"] ?? 1_000);
/** The agent is killed within so many operations after its start, and comes back within so many others. */
const AGENT_LIVES_OPERATIONS = 120;
const AGENT_AWAY_OPERATIONS = 8;
const AGENT_DIES_YOUNG = 0.4;
/** About as long as a start takes. */
const AGENT_START_MS = 1_500;

describe("churn", () => {
  const stack = new AsyncDisposableStack();
  let node: TwillNode;

  before(async () => {
    [node] = (await startNodes(stack, { count: 1 })) as [TwillNode];
  });
  after(() => stack.disposeAsync());

  test(`${OPERATIONS} ADD and DEL with kills at random points leave exactly the pods that live`, async (t) => {
    const seed = Number(process.env["TWILL_CHURN_SEED"] ?? randomInt(2 ** 31));
    // At once: what hangs shows what it has printed, and no diagnostics.
    console.log(`TWILL_CHURN_SEED=${seed}`);
    const random = randomNumbers(seed);
    const churn = new Churn({ node, random, operations: OPERATIONS, workers: 4, podsAtMost: 24, killShare: 0.15 });
    let isRunning = true;
    let agentKills = 0;
    const unrest = (async () => {
      for (;;) {
        await afterOperations(churn, 5 + random() * AGENT_LIVES_OPERATIONS, () => isRunning);
        if (!isRunning) return;
        await node.killAgent();
        agentKills++;
        await afterOperations(churn, random() * AGENT_AWAY_OPERATIONS, () => isRunning);
        node.startAgent();
        if (random() > AGENT_DIES_YOUNG) continue;
        // In the middle of its start: programs half loaded, servers not open yet.
        await pause(random() * AGENT_START_MS);
        await node.killAgent();
        node.startAgent();
      }
    })();
    const report = await churn.run().finally(() => {
      isRunning = false;
    });
    await unrest;
    await node.whenReady();
    t.diagnostic(JSON.stringify({ ...report, agentKills, living: churn.living.size }));
    assert.ok(report.pluginKills > 0 && agentKills > 0, "something was killed");
    await assertAgrees(node, churn.living.size);
    await churn.end();
    await assertAgrees(node, 0);
  });

  test("after a reboot nothing of the boot before is left, and pods start again", async () => {
    const pods = [await addPod(node), await addPod(node)];
    await assertAgrees(node, pods.length);
    await node.killAgent();
    await reboot(node);
    node.startAgent();
    await node.whenReady();
    await assertAgrees(node, 0);
    const pod = await addPod(node);
    const reply = await probe({ netns: pod.netns, protocol: "ICMP", to: node.address, port: 0, timeoutMs: 20_000 });
    assert.equal(reply.verdict, "ok", JSON.stringify(reply));
    await checkPod(pod);
    await deletePod(pod);
    // A runtime cleans up what it remembers of the boot before.
    for (const old of pods) await node.run(["ip", "netns", "add", old.attachment.containerId]);
    for (const old of pods) await deletePod(old);
    await assertAgrees(node, 0);
  });
});

/** Waits until so many more operations were done, or the churn is over. */
async function afterOperations(churn: Churn, operations: number, isRunning: () => boolean): Promise<void> {
  const target = churn.operations + operations;
  await waitFor("operations", () => churn.operations >= target || !isRunning(), 600_000);
}

/** Demands, soon, that every place knows the same pods, and so many of them. */
async function assertAgrees(node: TwillNode, pods: number): Promise<void> {
  let last: Inventory | undefined;
  const holds = async (): Promise<boolean> => {
    last = await takeInventory(node);
    const { ledger, map, ledgerDevices, devices, pins } = last;
    return (
      devices.length === pods &&
      same(devices, ledgerDevices) &&
      pins.every((pin) => devices.includes(pin)) &&
      same(ledger, map) &&
      ledger.length === pods * 2
    );
  };
  await waitFor(`${pods} pods everywhere`, holds, 60_000).catch(() => {
    assert.fail(`Expected ${pods} pods everywhere, found ${JSON.stringify(last, null, 1)}\n${node.log().slice(-2000)}`);
  });
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** What a power cut leaves: no process, no namespace, no device of ours, empty /run and bpffs; disks as they were. */
async function reboot(node: TwillNode): Promise<void> {
  await node.run([
    "sh",
    "-ec",
    `for ns in $(ls /run/netns); do ip netns del "$ns"; done
     for link in $(ls /sys/class/net); do case "$link" in twl*|twill*) ip link del "$link" 2>/dev/null || true;; esac; done
     rm -rf /run/twill/* /sys/fs/bpf/twill
     ip route flush proto 87; ip -6 route flush proto 87`,
  ]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
