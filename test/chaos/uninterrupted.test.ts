/**
 * The agent is never on a packet's way: it is killed, restarted and upgraded to changed programs under load, and no
 * packet of an established flow and no new connection is lost.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runIn } from "../../src/lab/box.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { writeIn } from "../fixture/files.ts";
import { attachedPrograms } from "../fixture/programs.ts";
import { answerAt, assertReaches } from "../fixture/traffic.ts";
import {
  addPod,
  checkPod,
  deletePod,
  joinOutside,
  OUTSIDE,
  openNodes,
  type Pod,
  startAgents,
  type TwillNode,
} from "../fixture/twill-nodes.ts";
import { Connections, STARVED_SECONDS, type Stream, startStream } from "./load.ts";
import { variantOf } from "./object-variant.ts";

const OBJECT = fileURLToPath(new URL("../../bpf/gen/twill.o", import.meta.url));
const CONNECTION_INTERVAL_MS = 5;
/** Load before and after each disturbance, so that a loss can be told from a slow start. */
const SETTLE_MS = 1_000;

describe("an agent that comes and goes", () => {
  const stack = new AsyncDisposableStack();
  let nodes: [TwillNode, TwillNode];
  let outside: string;
  let pods: { client: Pod; near: Pod; far: Pod };

  before(async () => {
    nodes = (await openNodes(stack, { count: 2 })) as [TwillNode, TwillNode];
    outside = await joinOutside(stack, nodes[0]);
    await startAgents(stack, nodes);
    pods = { client: await addPod(nodes[0]), near: await addPod(nodes[0]), far: await addPod(nodes[1]) };
  });
  after(() => stack.disposeAsync());

  /** Puts load on every kind of way, disturbs, and demands that nothing was lost. */
  async function withoutLoss(disturb: () => Promise<void>): Promise<void> {
    using load = new DisposableStack();
    const responder = load.use(new Responder());
    const { client, near, far } = pods;
    for (const pod of [near, far])
      await answerAt(responder, { name: "server", netns: pod.netns, addresses: pod.addresses });
    await answerAt(responder, { name: "outside", netns: outside, addresses: OUTSIDE });
    // To a pod of the same node, to one of the other node, and masqueraded to the outside; both families.
    const ways = [near, far, { netns: outside, addresses: OUTSIDE }].flatMap(({ netns, addresses }) =>
      addresses.map((address) => ({ netns, address })),
    );
    const streams: Stream[] = [];
    for (const to of ways) {
      for (const protocol of ["UDP", "TCP"] as const) streams.push(load.use(await startStream(protocol, client, to)));
    }
    const targets = ways.map(({ address }) => address);
    const connections = load.use(new Connections(client.netns, targets, CONNECTION_INTERVAL_MS));
    await pause(SETTLE_MS);
    await disturb();
    await pause(SETTLE_MS);
    const { attempts, failures } = await connections.stop();
    const reports = await Promise.all(streams.map((one) => one.stop()));
    for (const report of reports) {
      assert.ok(report.bytes > 0, "the stream carried something");
      assert.equal(report.lost, 0, `${report.lost} of ${report.sent} datagrams were lost`);
      assert.ok(report.longestStallSeconds <= STARVED_SECONDS, `${report.longestStallSeconds} seconds without data`);
    }
    assert.ok(attempts > 100, `${attempts} connections were tried`);
    assert.deepEqual(failures, []);
  }

  test("kill -9 and restart", () =>
    withoutLoss(async () => {
      for (const node of nodes) await node.killAgent();
      await pause(SETTLE_MS);
      for (const node of nodes) node.startAgent();
      for (const node of nodes) await node.whenReady();
    }));

  test("stop, and start with changed programs", () =>
    withoutLoss(async () => {
      const changed = variantOf(readFileSync(OBJECT), ["tc"]);
      for (const node of nodes) {
        await node.stopAgent();
        const before = await attachedPrograms(node);
        writeIn(node.box, "/run/changed.o", changed);
        // Only this node's own view of the file changes.
        assert.equal((await runIn(node.box, ["mount", "--bind", "/run/changed.o", OBJECT])).code, 0);
        node.startAgent();
        await node.whenReady();
        const after = await attachedPrograms(node);
        assert.ok(before.size > 0);
        assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort());
        for (const [place, tag] of after) assert.notEqual(tag, before.get(place), `${place} still runs what it did`);
      }
    }));

  test("ADD, CHECK and DEL without the agent, which takes over when it is back", async () => {
    using responder = new Responder();
    const [node] = nodes;
    const old = await addPod(node);
    await node.killAgent();
    const fresh = await addPod(node);
    await checkPod(fresh);
    await checkPod(pods.near);
    await deletePod(old);
    await answerAt(responder, { name: "fresh", netns: fresh.netns, addresses: fresh.addresses });
    await assertReaches(pods.client.netns, fresh.addresses);
    await assertReaches(pods.far.netns, fresh.addresses);
    node.startAgent();
    await node.whenReady();
    await checkPod(fresh);
    await assertReaches(pods.far.netns, fresh.addresses);
    await deletePod(fresh);
  });
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
