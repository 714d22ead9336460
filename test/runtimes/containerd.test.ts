/** containerd's CRI drives Twill as a kubelet makes it do: sandboxes are made, looked at, refused and removed. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { probe } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { cgroupParent, removeCgroups } from "../fixture/cgroups.ts";
import { readIn, writeIn } from "../fixture/files.ts";
import { measureMbit } from "../fixture/rate.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { answerAt, assertReaches, TEST_PORT } from "../fixture/traffic.ts";
import { joinOutside, openNodes, startAgents, type TwillNode } from "../fixture/twill-nodes.ts";
import { CGROUP_PREFIX, type Containerd, startContainerd } from "./containerd.ts";
import { CriError, type SandboxSpec } from "./cri.ts";

const programs = ["/usr/bin/containerd", "/usr/sbin/runc"];
const missing = programs.filter((path) => !existsSync(path));
const skip = missing.length > 0 ? `not installed: ${missing.join(", ")}` : false;

/** Far below what the machine carries, even when it is busy. */
const LIMIT_MBIT = 50;

/** A directory of plugins that write down each call before they make it. */
const RECORDER = "/run/recorder";
const CALLS = "/run/recorder-calls";

describe("containerd", { skip }, () => {
  const stack = new AsyncDisposableStack();
  let node: TwillNode;
  let outside: string;
  let containerd: Containerd;
  let serial = 0;
  const spec = (more: Partial<SandboxSpec> = {}): SandboxSpec => ({
    namespace: "default",
    name: `pod-${serial++}`,
    uid: `uid-${serial}`,
    cgroupParent: cgroupParent(CGROUP_PREFIX),
    ...more,
  });

  before(async () => {
    stack.defer(() => removeCgroups(CGROUP_PREFIX));
    // A pool of few addresses, so that one test can use it up.
    [node] = (await openNodes(stack, { count: 1, podCidrs: ["10.244.1.0/28", "fd00:10:244:1::/64"] })) as [TwillNode];
    outside = await joinOutside(stack, node);
    await startAgents(stack, [node]);
    assert.deepEqual(
      node.network().plugins.map((plugin) => plugin.type),
      ["twill"],
      "Twill needs no other plugin",
    );
    for (const plugin of ["twill", "loopback"]) writeIn(node.box, `${RECORDER}/${plugin}`, recorder(plugin), 0o755);
    writeIn(node.box, CALLS, "");
    containerd = await startContainerd(node.box, RECORDER);
    await waitFor(
      "containerd to find the network",
      async () => {
        const conditions = await containerd.client.conditions();
        return conditions.has("NetworkReady") && conditions.get("NetworkReady") === undefined;
      },
      120_000,
    );
  });
  after(() => stack.disposeAsync());

  /** Calls of the plugin for one sandbox, as `ADD /run/netns/x`. */
  const calls = (id: string): string[] =>
    readIn(node.box, CALLS)
      .split("\n")
      .filter((line) => line.includes(id) && line.startsWith("twill "))
      .map((line) => line.replace(/^twill /, "").replace(` ${id}`, ""));

  const endpointLinks = async (): Promise<string[]> => {
    const links = JSON.parse(await node.run(["ip", "-j", "link", "show", "type", "veth"])) as { ifname: string }[];
    return links.map((link) => link.ifname).filter((name) => name.startsWith("twl"));
  };

  test("a sandbox has both addresses, and traffic flows to it from its node and from another sandbox", async () => {
    using responder = new Responder();
    const ids = [await containerd.client.runSandbox(spec()), await containerd.client.runSandbox(spec())];
    const [a, b] = await Promise.all(ids.map((id) => sandboxPeer(node, containerd, id)));
    for (const peer of [a!, b!]) {
      assert.equal(peer.addresses.length, 2, `addresses are ${peer.addresses.join(", ")}`);
      assert.match(peer.addresses[0]!, /^10\.244\.1\./);
      assert.match(peer.addresses[1]!, /^fd00:10:244:1:/);
      await answerAt(responder, peer);
    }
    await assertReaches(node.box.netns, b!.addresses);
    const seen = await assertReaches(a!.netns, b!.addresses);
    for (const { seenAddress } of seen) if (seenAddress !== undefined) assert.ok(a!.addresses.includes(seenAddress));
    await containerd.removeAll();
  });

  test("a host port leads to its sandbox, and a limit on its bandwidth holds", async () => {
    using responder = new Responder();
    const limited = spec({
      portMappings: [{ hostPort: 18080, containerPort: TEST_PORT }],
      annotations: {
        "kubernetes.io/ingress-bandwidth": `${LIMIT_MBIT}M`,
        "kubernetes.io/egress-bandwidth": `${LIMIT_MBIT}M`,
      },
    });
    const ids = [await containerd.client.runSandbox(limited), await containerd.client.runSandbox(spec())];
    const [a, b] = await Promise.all(ids.map((id) => sandboxPeer(node, containerd, id)));
    await answerAt(responder, { ...a!, name: "limited" });
    const result = await probe({ netns: outside, protocol: "TCP", to: "198.51.100.1", port: 18080, timeoutMs: 20_000 });
    assert.equal(result.server, "limited", JSON.stringify(result));
    for (const [from, to] of [
      [b!, a!],
      [a!, b!],
    ] as const) {
      // containerd allows a burst of 256 MiB before the limit, and a sender without a CPU saves up for another.
      const measured: number[] = [];
      const holds = () => (measured.at(-1) ?? 0) > LIMIT_MBIT * 0.5 && (measured.at(-1) ?? 0) < LIMIT_MBIT * 1.5;
      while (!holds() && measured.length < 5)
        measured.push(await measureMbit(from.netns, to.netns, to.addresses[0]!, 3));
      assert.ok(holds(), `${measured.map((m) => m.toFixed(1)).join(", ")} Mbit/s`);
    }
    await containerd.removeAll();
  });

  test("removing a sandbox calls DEL again with an empty namespace, and nothing is left", async () => {
    const id = await containerd.client.runSandbox(spec());
    assert.equal((await endpointLinks()).length, 1);
    await containerd.client.stopSandbox(id);
    assert.equal((await containerd.client.sandboxStatus(id)).isReady, false);
    assert.deepEqual(await endpointLinks(), []);
    await containerd.client.removeSandbox(id);
    const [add, ...dels] = calls(id);
    assert.match(add!, /^ADD \/(var\/)?run\/netns\//);
    assert.ok(dels.length >= 2, `calls were ${dels.join(", ")}`);
    assert.ok(dels.every((call) => call.startsWith("DEL")));
    assert.equal(dels.at(-1), "DEL ", "the last DEL has no namespace any more");
    assert.deepEqual(await endpointLinks(), []);
  });

  test("a sandbox that the network refuses is cleaned up, says why, and succeeds when there is room", async () => {
    const ids: string[] = [];
    let refusal: unknown;
    const last = spec();
    for (let i = 0; i < 16 && refusal === undefined; i++) {
      await containerd.client.runSandbox({ ...last, name: `${last.name}-${i}`, uid: `${last.uid}-${i}` }).then(
        (id) => ids.push(id),
        (error: unknown) => {
          refusal = error;
        },
      );
    }
    assert.ok(refusal instanceof CriError, `refused: ${String(refusal)}`);
    assert.match(refusal.message, /10\.244\.1\.0\/28/, "names the pool that is used up");
    assert.equal((await endpointLinks()).length, ids.length);
    const given = ids.pop()!;
    await containerd.client.stopSandbox(given);
    await containerd.client.removeSandbox(given);
    // As a kubelet does: the same pod again, one attempt later.
    const name = `${last.name}-${ids.length + 1}`;
    const retried = await containerd.client.runSandbox({ ...last, name, uid: `${last.uid}-r`, attempt: 1 });
    assert.equal((await containerd.client.sandboxStatus(retried)).addresses.length, 2);
    await containerd.removeAll();
    assert.deepEqual(await endpointLinks(), []);
  });

  test("sandboxes start and stop while the agent is away, and it takes them over when it is back", async () => {
    using responder = new Responder();
    const before = await containerd.client.runSandbox(spec());
    await node.killAgent();
    const during = await containerd.client.runSandbox(spec());
    await containerd.client.stopSandbox(before);
    await containerd.client.removeSandbox(before);
    const peer = await sandboxPeer(node, containerd, during);
    await answerAt(responder, peer);
    await assertReaches(node.box.netns, peer.addresses);
    node.startAgent();
    await node.whenReady();
    await assertReaches(node.box.netns, peer.addresses);
    assert.equal((await endpointLinks()).length, 1);
    await containerd.removeAll();
    assert.deepEqual(await endpointLinks(), []);
  });
});

function recorder(plugin: string): string {
  return `#!/bin/sh
echo "${plugin} $CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS" >>${CALLS}
exec /opt/cni/bin/${plugin}
`;
}

/** A sandbox as someone to send packets to and from. */
async function sandboxPeer(node: TwillNode, containerd: Containerd, id: string) {
  const { addresses, info } = await containerd.client.sandboxStatus(id);
  const parsed = JSON.parse(info) as { runtimeSpec: { linux: { namespaces: { type: string; path?: string }[] } } };
  const path = parsed.runtimeSpec.linux.namespaces.find((namespace) => namespace.type === "network")?.path;
  assert.ok(path !== undefined, "the sandbox has a network namespace of its own");
  // /var/run is a link that would be followed outside of the box.
  return { name: id, addresses, netns: node.box.root + path.replace(/^\/var\/run\//, "/run/") };
}
