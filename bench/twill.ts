/** Twill's own paths: two nodes with the real agent, joined by one veth as the peers' nodes are, pods by the real plugin. */

import type { Sandbox } from "../test/fixture/sandbox.ts";
import { addPod, type Pod, startNodes, type TwillNode } from "../test/fixture/twill-nodes.ts";
import { goFirst } from "./priority.ts";
import type { Path } from "./topologies.ts";

/** Starts nodes whose agents have the benchmark's own priority: they are sessions of their own. */
export async function startBenchNodes(
  stack: AsyncDisposableStack,
  options: Parameters<typeof startNodes>[1],
): Promise<TwillNode[]> {
  const nodes = await startNodes(stack, options);
  for (const node of nodes) goFirst(node.agentPid());
  return nodes;
}

/** Starts the nodes; they and their pods go with the stack. */
export async function twillPaths(stack: AsyncDisposableStack, box: Sandbox): Promise<Path[]> {
  const [a, b] = (await startBenchNodes(stack, { count: 2 })) as [TwillNode, TwillNode];
  const client = await addPod(a);
  const near = await addPod(a);
  const far = await addPod(b);
  // As in every peer's pods; see Sandbox.netns.
  for (const pod of [client, near, far]) box.sysctl(pod.netns, { "net.ipv4.tcp_congestion_control": "reno" });
  return [path("same-node", client, near), path("cross-node.vxlan", client, far)];
}

function path(scope: Path["scope"], client: Pod, server: Pod): Path {
  const [serverAddress = ""] = server.addresses;
  return { subject: "twill", scope, clientNetns: client.netns, serverNetns: server.netns, serverAddress };
}
