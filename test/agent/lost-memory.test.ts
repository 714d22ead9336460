/** A node whose memory was lost while its pods live: the next agent takes them up, and none is started anew. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LiveFlow } from "../fixture/live-flow.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { addPod, checkPod, deletePod, type Pod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const PORT = 7100;
const TICK_MS = 20;
const CONVERGED_MS = 120_000;
/** Packets of each flow before and after. */
const ENOUGH = 20;

const stack = new AsyncDisposableStack();
let nodes: [TwillNode, TwillNode];
let pods: { client: Pod; near: Pod; far: Pod };

before(async () => {
  nodes = (await startNodes(stack, { count: 2 })) as [TwillNode, TwillNode];
  pods = { client: await addPod(nodes[0]), near: await addPod(nodes[0]), far: await addPod(nodes[1]) };
});
after(() => stack.disposeAsync());

async function endpoints(node: TwillNode): Promise<Map<string, unknown>> {
  const list = JSON.parse(await node.cli("endpoint", "list", "--json")) as Record<string, unknown>[];
  return new Map(list.map(({ id: _, createdAtMs: __, ...rest }) => [String(rest["containerId"]), rest]));
}

test("ledger, files and pins are removed: connections go on, pods keep what they have and end as usual", async () => {
  using load = new DisposableStack();
  const [node] = nodes;
  const { client, near, far } = pods;
  const flows: LiveFlow[] = [];
  for (const server of [near, far])
    for (const [i, address] of server.addresses.entries()) {
      const ends = [
        { netns: client.netns, address: client.addresses[i] ?? "" },
        { netns: server.netns, address },
      ] as const;
      flows.push(load.use(await LiveFlow.open(`TCP to ${address}`, "TCP", ends, PORT + flows.length)));
    }
  const timer = setInterval(() => {
    for (const flow of flows) flow.tick("");
  }, TICK_MS);
  load.defer(() => clearInterval(timer));
  const goOn = async () => {
    const lanes = flows.flatMap((f) => f.lanes);
    const wanted = lanes.map((l) => l.sent.length + ENOUGH);
    await waitFor("flows to go on", () => lanes.every((l, i) => l.arrived.size >= (wanted[i] ?? 0)), CONVERGED_MS);
  };
  await goOn();
  const before = await endpoints(node);
  assert.equal(before.size, 2);

  await node.killAgent();
  await node.run(["sh", "-ec", "rm -rf /run/twill/* /sys/fs/bpf/twill"]);
  node.startAgent();
  await node.whenReady();

  assert.deepEqual(await endpoints(node), before);
  assert.match(node.log(), /took up a pod's attachment that the ledger had lost/);
  await goOn();
  assert.deepEqual(
    flows.map((f) => f.problem),
    flows.map(() => undefined),
  );
  for (const pod of [client, near]) await checkPod(pod);
  const fresh = await addPod(node);
  assert.equal(new Set([client, near, fresh].flatMap((p) => p.addresses)).size, 6);
  for (const pod of [fresh, client, near]) await deletePod(pod);
  assert.deepEqual(await endpoints(node), new Map());
});
