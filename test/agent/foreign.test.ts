/** A node on which another plugin's devices are left: it is said what is in the way, and removing it is enough. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AgentStatus } from "../../src/agent/status/status.ts";
import { CommandError } from "../../src/lab/run.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { openNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const stack = new AsyncDisposableStack();
let node: TwillNode;

before(async () => {
  [node] = (await openNodes(stack, { count: 1 })) as [TwillNode];
  const commands = [
    "ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.78.1 dev eth0 nolearning",
    "ip link set flannel.1 up",
    "ip link add cni0 type bridge",
    "ip addr add 10.244.1.1/24 dev cni0",
    "ip link set cni0 up",
  ];
  await node.run(["sh", "-ec", commands.join("\n")]);
  node.startAgent();
  stack.defer(() => node.stopAgent());
});

after(() => stack.disposeAsync());

async function status(): Promise<AgentStatus | undefined> {
  try {
    return JSON.parse(await node.cli("status", "--json")) as AgentStatus;
  } catch (error) {
    // Not ready is exit code 1, with the same words.
    if (!(error instanceof CommandError)) throw error;
    const answer = JSON.parse(error.output.stdout) as Partial<AgentStatus>;
    return answer.reconcile === undefined ? undefined : (answer as AgentStatus);
  }
}

test("status names the device and the route, and the agent is ready as soon as the device is gone", async () => {
  const messages = (s: AgentStatus) => s.issues.map((i) => i.message).join("\n");
  const stuck = await waitFor(
    "the agent's first look",
    async () => {
      const s = await status();
      return s?.notReady.some((r) => r.startsWith("links:")) && /cni0/.test(messages(s)) && s;
    },
    120_000,
  );
  assert.match(stuck.notReady.join("\n"), /links: ip link add twill_vx .*: Cannot .*EADDRINUSE/);
  const issues = messages(stuck);
  assert.match(issues, /VXLAN device "flannel\.1" has UDP port 8472 already/);
  assert.match(issues, /Route 10\.244\.1\.0\/24 on "cni0" takes packets of this node away from its pods/);
  await node.run(["ip", "link", "del", "flannel.1"]);
  await node.whenReady();
  const left = (await node.run(["ip", "-br", "link", "show", "cni0"])).length;
  assert.ok(left > 0, "what is another plugin's is never removed");
  await node.run(["ip", "link", "del", "cni0"]);
  await waitFor("no issue to be left", async () => (await status())?.issues.length === 0);
});
