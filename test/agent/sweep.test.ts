/** Flows that the real programs tracked are collected when they are over, with their translations, and not before. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Sweeper } from "../../src/agent/gc/sweeper.ts";
import { TIMEOUT_SECONDS, tickOf, ticks } from "../../src/agent/gc/timeouts.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { createLinuxKernel } from "../../src/kernel/linux/linux-kernel.ts";
import { addPod, type Pod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const stack = new AsyncDisposableStack();
let nodes: TwillNode[];
let pod: Pod;
let peer: Pod;
let kernel: Kernel;

before(async () => {
  nodes = await startNodes(stack, { count: 2 });
  const [first, second] = nodes as [TwillNode, TwillNode];
  pod = await addPod(first);
  peer = await addPod(second);
  // The agent's own sweeper would see the present only: here the test says what time it is.
  await first.stopAgent();
  kernel = createLinuxKernel({ pinDirectory: `${first.box.root}/sys/fs/bpf/twill` });
  stack.defer(() => kernel[Symbol.dispose]());
});

after(() => stack.disposeAsync());

function walk(secondsFromNow: number): Record<string, number> {
  const sweeper = new Sweeper(kernel);
  while (!sweeper.step(tickOf(process.hrtime.bigint()) + ticks(secondsFromNow)));
  return Object.fromEntries(sweeper.counts().map((c) => [c.map, c.entries]));
}

test("a ping between nodes, and an unanswered one to the outside that was translated", async () => {
  const [node] = nodes as [TwillNode];
  const [v4 = "", v6 = ""] = peer.addresses;
  const start = performance.now();
  for (const target of [v4, v6]) await node.run(["ping", "-c", "1", "-W", "5", target], { netns: pod.netns });
  await node.run(["sh", "-c", "ping -c 1 -W 1 198.51.100.77 || true"], { netns: pod.netns });
  const now = walk(0);
  assert.deepEqual([now["ct_other"], now["nat"]], [3, 2]);
  // The first ping is as old as that, and a tick is more than a second.
  const left = TIMEOUT_SECONDS.icmp - (performance.now() - start) / 1000 - 4;
  assert.ok(left > 0, `the pings took ${TIMEOUT_SECONDS.icmp - left} s: too long for this test`);
  assert.deepEqual([walk(left)["ct_other"], walk(left / 2)["nat"]], [3, 2], "not before their time");
  const later = walk(TIMEOUT_SECONDS.icmp + 5);
  assert.deepEqual([later["ct_other"], later["nat"]], [0, 0]);
});

test("a TCP connection that is refused is forgotten soon", async () => {
  const [node] = nodes as [TwillNode];
  const [v4 = ""] = peer.addresses;
  await node.run(["bash", "-c", `exec 3<>/dev/tcp/${v4}/9 || true`], { netns: pod.netns });
  assert.equal(walk(0)["ct_tcp"], 1);
  assert.equal(walk(TIMEOUT_SECONDS.tcpClosed + 5)["ct_tcp"], 0);
});
