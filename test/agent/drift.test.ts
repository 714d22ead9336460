/** What somebody changes behind a running agent's back on a real kernel comes back by itself. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AgentStatus } from "../../src/agent/status/status.ts";
import { readIn, writeIn } from "../fixture/files.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { addPod, checkPod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const stack = new AsyncDisposableStack();
let node: TwillNode;

before(async () => {
  // Long: what comes back within a test was seen, not found by looking at everything again.
  const [first] = await startNodes(stack, { count: 1, config: { resyncSeconds: 600 } });
  assert.ok(first);
  node = first;
});

after(() => stack.disposeAsync());

async function status(): Promise<AgentStatus> {
  const text = await node.run(["curl", "-sS", "--unix-socket", "/run/twill/control.sock", "http://twill/v1/status"]);
  return JSON.parse(text) as AgentStatus;
}

function readyStatus(): Promise<AgentStatus> {
  return waitFor("an agent that is ready", async () => {
    const s = await status();
    return s.isReady && s;
  });
}

async function resync(): Promise<AgentStatus> {
  const text = await node.run([
    ...["curl", "-sS", "-X", "POST", "--unix-socket", "/run/twill/control.sock"],
    "http://twill/v1/resync",
  ]);
  return JSON.parse(text) as AgentStatus;
}

/** Everything of Twill's, as iproute2 and sysctl print it. */
function picture(): Promise<string> {
  const commands = [
    "ip -o -d link show dev twill0; ip -o -d link show dev twill1; ip -o -d link show dev twill_vx",
    "ip -o addr show dev twill0; ip route show proto 87; ip -6 route show proto 87",
    "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.twill0.send_redirects",
  ];
  return node.run(["sh", "-c", `exec 2>&1; ${commands.join("; ")}; true`]);
}

/** Indexes are new after a device was made anew. */
function withoutIndexes(text: string): string {
  return text.replace(/^\d+: /gm, "").replace(/@if\d+|tentative ?/g, "");
}

test("looking again writes nothing", async () => {
  await resync();
  const { reconcile } = await resync();
  assert.equal(reconcile.failing, 0);
  assert.equal(reconcile.drifted, 0);
});

for (const [name, command] of [
  ["the pair of the stack and the pods removed", "ip link del twill0"],
  ["the tunnel removed", "ip link del twill_vx"],
  ["a device set down", "ip link set twill1 down"],
  ["another MTU", "ip link set twill_vx mtu 1300"],
  ["another MAC address", "ip link set twill0 address 02:00:00:00:00:99"],
  ["the router address removed", "ip addr del 10.244.1.1/32 dev twill0"],
  ["a foreign address added", "ip addr add 10.99.0.1/32 dev twill0"],
] as const)
  test(`put back without being asked: ${name}`, async () => {
    const before = withoutIndexes(await picture());
    await node.run(["sh", "-ec", command]);
    await waitFor(name, async () => withoutIndexes(await picture()) === before);
    assert.deepEqual((await readyStatus()).notReady, []);
  });

for (const [name, command] of [
  ["a route removed", "ip route del 10.244.0.0/16 dev twill0"],
  ["forwarding switched off", "sysctl -qw net.ipv4.ip_forward=0"],
  ["a program detached", "rm /sys/fs/bpf/twill/links/eth0:egress"],
] as const)
  test(`put back at the next look, and counted: ${name}`, async () => {
    const before = await picture();
    const { drifted } = (await status()).reconcile;
    await node.run(["sh", "-ec", command]);
    await resync();
    // The kernel lets go of a link some time after its pin, and has each program on a hook once.
    const { reconcile } = await readyStatus();
    assert.ok(reconcile.drifted > drifted);
    assert.equal(await picture(), before);
  });

test("the network that somebody removes from the runtime's directory comes back", async () => {
  const list = () => node.run(["sh", "-c", "ls /etc/cni/net.d /opt/cni/bin"]);
  const before = await list();
  await node.run(["rm", "/etc/cni/net.d/10-twill.conflist", "/opt/cni/bin/twill"]);
  await resync();
  await waitFor("the files", async () => (await list()) === before);
});

test("a device that lives by router advertisements goes on obeying them, though the node forwards", async () => {
  await node.run([
    "sh",
    "-ec",
    "sysctl -qw net.ipv6.conf.eth0.accept_ra=1; ip -6 route add default via fe80::99 dev eth0 proto ra",
  ]);
  await resync();
  const acceptRa = () => node.run(["sysctl", "-n", "net.ipv6.conf.eth0.accept_ra"]);
  assert.equal(await acceptRa(), "2\n");
  await node.run(["sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=0"]);
  await resync();
  assert.equal(await acceptRa(), "0\n", "who wants none gets none");
  await node.run(["ip", "-6", "route", "del", "default"]);
});

test("a pod whose namespace vanishes is given up, and its addresses are free again", async () => {
  const pod = await addPod(node);
  await checkPod(pod);
  await node.run(["ip", "netns", "del", pod.attachment.containerId]);
  await waitFor("the lease to be given back", async () => (await status()).endpoints.total === 0);
  const leases = JSON.parse(await node.cli("ipam", "show", "--json")) as { leases: { state: string }[] };
  assert.ok(leases.leases.every((l) => l.state === "cooling"));
});

test("nodes that are written into the directory are reached at once, and go with their file", async () => {
  const object = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "node-9" },
    spec: { podCIDRs: ["10.244.9.0/24"] },
    status: { addresses: [{ type: "InternalIP", address: "192.168.78.9" }] },
  };
  writeIn(node.box, "/run/objects/node-9.yaml", JSON.stringify(object));
  // What is wanted is told before it is written.
  const isEmpty = async () =>
    (await node.run(["bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/twill/nodes"])).trim() === "[]";
  await waitFor("node-9 to be reached", async () => (await status()).nodes.find((n) => n.name === "node-9")?.nodeId);
  await waitFor("its entry in the map", async () => !(await isEmpty()));
  await node.run(["rm", "/run/objects/node-9.yaml"]);
  await waitFor("node-9 to be forgotten", async () => (await status()).nodes.every((n) => n.name !== "node-9"));
  await waitFor("its entry to be gone", isEmpty);
});

test("a directory that is broken changes nothing, and says what is wrong", async () => {
  const good = readIn(node.box, "/run/objects/nodes.yaml");
  const before = await picture();
  writeIn(
    node.box,
    "/run/objects/nodes.yaml",
    "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nspec: {podCIDRs: [10.244.1.0/99]}\n",
  );
  const broken = await waitFor("the problem to be told", async () => {
    const s = await status();
    return s.cluster.problems.length > 0 && s;
  });
  assert.match(broken.cluster.problems.join("\n"), /10\.244\.1\.0\/99/);
  assert.equal(broken.isReady, true, "what was known goes on to count");
  assert.equal(await picture(), before);
  writeIn(node.box, "/run/objects/nodes.yaml", good);
  await waitFor("the problem to be gone", async () => (await status()).cluster.problems.length === 0);
});

test("an agent that is told to end leaves the data plane, ends at once, and says so", async () => {
  const before = await picture();
  await node.stopAgent();
  assert.match(node.log(), /"msg":"ended; the data plane stays"/);
  assert.equal(await picture(), before);
});
