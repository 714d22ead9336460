/** Debian's reference plugins before and after Twill in one network, with packets to show for it. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { NetworkList, PluginConfig } from "../../src/lab/kubelet/conflist.ts";
import { probe } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { measureMbit } from "../fixture/rate.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { answerAt, assertReaches, TEST_PORT } from "../fixture/traffic.ts";
import { addPod, checkPod, deletePod, type Pod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const needed = ["portmap", "bandwidth", "tuning"].filter((name) => !existsSync(`/usr/lib/cni/${name}`));
const skip = needed.length > 0 ? `not installed: ${needed.join(", ")} (containernetworking-plugins)` : false;

const SYSCTL = "net.ipv4.ip_unprivileged_port_start";

/** What the bandwidth test asks for; far below what the machine carries, even when it is busy. */
const LIMIT_MBIT = 50;

describe("chaining", { skip }, () => {
  const stack = new AsyncDisposableStack();
  let a: TwillNode;
  let b: TwillNode;

  before(async () => {
    [a, b] = (await startNodes(stack, { count: 2 })) as [TwillNode, TwillNode];
  });
  after(() => stack.disposeAsync());

  /** Twill's own network with other plugins around it. */
  const chained = (before: PluginConfig[], after: PluginConfig[]): NetworkList => {
    const network = a.network();
    const own = network.plugins.filter((plugin) => plugin.type === "twill");
    // The reference plugins get what they can serve; Twill limits in any case.
    const told = own.map((plugin) => ({ ...plugin, capabilities: { bandwidth: true } }));
    // The version is the newest that Debian's plugins speak.
    return { ...network, name: "chained", version: "1.0.0", plugins: [...before, ...told, ...after] };
  };

  test("portmap after Twill: a host port leads to the pod, from the node and from outside of it", async () => {
    using responder = new Responder();
    const network = chained([], [{ type: "portmap", capabilities: { portMappings: true }, snat: true }]);
    const portMappings = [
      { hostPort: 18080, containerPort: TEST_PORT, protocol: "tcp", hostIP: "" },
      { hostPort: 18080, containerPort: TEST_PORT, protocol: "udp", hostIP: "" },
    ];
    const pod = await addPod(a, { network, capabilityArgs: { portMappings } });
    const remote = await addPod(b);
    await answerAt(responder, peerOf(pod, "mapped"));
    await assertReaches(a.box.netns, pod.addresses);
    for (const [who, netns] of [
      ["another node", b.box.netns],
      ["its own node", a.box.netns],
      ["a pod of another node", remote.netns],
    ] as const) {
      const result = await probe({ netns, protocol: "TCP", to: a.address, port: 18080, timeoutMs: 20_000 });
      assert.equal(result.verdict, "ok", `${who}: ${JSON.stringify(result)}`);
      assert.equal(result.server, "mapped");
    }
    const udp = await probe({ netns: b.box.netns, protocol: "UDP", to: a.address, port: 18080, timeoutMs: 20_000 });
    assert.equal(udp.verdict, "ok", JSON.stringify(udp));
    // portmap 1.1 asks for its IPv4 rules in its IPv6 chain when a pod has both families: its own CHECK is left out.
    await checkPod(pod, { ...network, plugins: network.plugins.filter((plugin) => plugin.type !== "portmap") });
    await deletePod(pod, network);
    await deletePod(remote);
    const gone = await probe({ netns: b.box.netns, protocol: "TCP", to: a.address, port: 18080 });
    assert.notEqual(gone.verdict, "ok");
  });

  const ported = { portMappings: [{ hostPort: 18081, containerPort: TEST_PORT, protocol: "tcp" }] };
  const askPort = (netns: string) => probe({ netns, protocol: "TCP", to: a.address, port: 18081, timeoutMs: 20_000 });
  const rules = async () => (await a.run(["iptables-save", "-t", "nat"])).split("\n").filter((l) => /CNI-DN-/.test(l));

  test("Twill alone: a host port that opens and closes while the agent is away, and stays when it comes back", async () => {
    using responder = new Responder();
    const network = a.network();
    assert.deepEqual(
      network.plugins.map((plugin) => plugin.type),
      ["twill"],
      "the list has nobody else for ports",
    );
    await a.killAgent();
    const pod = await addPod(a, { capabilityArgs: ported });
    await answerAt(responder, peerOf(pod, "alone"));
    assert.equal((await askPort(b.box.netns)).server, "alone");
    await assert.rejects(addPod(a, { name: "second", capabilityArgs: ported }), /belongs to endpoint/);
    await a.run(["ip", "netns", "del", "second"]);
    a.startAgent();
    await a.whenReady();
    await checkPod(pod);
    assert.equal((await askPort(b.box.netns)).server, "alone");
    await a.killAgent();
    await deletePod(pod);
    assert.notEqual((await askPort(b.box.netns)).verdict, "ok");
    a.startAgent();
    await a.whenReady();
    assert.deepEqual(JSON.parse(await a.cli("bpf", "dump", "host_ports", "--json")).entries, []);
    assert.deepEqual(await rules(), []);
  });

  test("portmap after Twill where both are told the ports: they lead to the pod, and both forget them", async () => {
    using responder = new Responder();
    const both = chained([], [{ type: "portmap", capabilities: { portMappings: true }, snat: true }]);
    const plugins = both.plugins.map((plugin) =>
      plugin.type === "twill" ? { ...plugin, capabilities: { portMappings: true } } : plugin,
    );
    const network = { ...both, plugins };
    const pod = await addPod(a, { network, capabilityArgs: ported });
    await answerAt(responder, peerOf(pod, "both"));
    assert.equal((await askPort(b.box.netns)).server, "both");
    assert.notDeepEqual(await rules(), []);
    await deletePod(pod, network);
    assert.notEqual((await askPort(b.box.netns)).verdict, "ok");
    assert.deepEqual(await rules(), []);
  });

  const rate = LIMIT_MBIT * 1e6;
  const bandwidth = { ingressRate: rate, ingressBurst: 1_000_000, egressRate: rate, egressBurst: 1_000_000 };

  const assertLimited = async (what: string, from: { netns: string }, to: Pod) => {
    const measured: number[] = [];
    const says = () => `${what}: ${measured.map((m) => m.toFixed(1)).join(", ")} of ${LIMIT_MBIT} Mbit/s`;
    // Never more; less where the machine had no time for the sender.
    do {
      measured.push(await measureMbit(from.netns, to.netns, to.addresses[0]!));
      assert.ok((measured.at(-1) ?? 0) < LIMIT_MBIT * 1.3, says());
    } while ((measured.at(-1) ?? 0) < LIMIT_MBIT * 0.4 && measured.length < 5);
    assert.ok((measured.at(-1) ?? 0) >= LIMIT_MBIT * 0.4, says());
    return says();
  };

  for (const [name, after] of [
    ["bandwidth by Twill alone", []],
    ["bandwidth after Twill, which limits by itself", [{ type: "bandwidth", capabilities: { bandwidth: true } }]],
  ] as const)
    test(`${name}: both directions, between pods of a node and across nodes`, async (t) => {
      const network = chained([], [...after]);
      const limited = await addPod(a, { network, capabilityArgs: { bandwidth } });
      const near = await addPod(a);
      const far = await addPod(b);
      for (const [what, from, to] of [
        ["download from the same node", near, limited],
        ["download from the other node", far, limited],
        ["upload to the same node", limited, near],
        ["upload to the other node", limited, far],
      ] as const)
        t.diagnostic(await assertLimited(what, from, to));
      const free = await measureMbit(near.netns, far.netns, far.addresses[0]!);
      assert.ok(free > LIMIT_MBIT * 3, `pods without a limit keep their speed: ${free.toFixed(1)} Mbit/s`);
      await checkPod(limited, network);
      await deletePod(limited, network);
      await deletePod(near);
      await deletePod(far);
      assert.equal(await shapers(a), 0);
    });

  test("a limit holds for a pod that came while the agent was away, and is put back when somebody takes it", async (t) => {
    const network = chained([], []);
    await a.killAgent();
    const limited = await addPod(a, { network, capabilityArgs: { bandwidth } });
    const near = await addPod(a);
    t.diagnostic(await assertLimited("without the agent", limited, near));
    a.startAgent();
    await a.whenReady();
    await checkPod(limited, network);
    const links = JSON.parse(await a.run(["ip", "-j", "link", "show", "type", "veth"])) as { ifname: string }[];
    const pair = links.find((l) => l.ifname.startsWith("tws"))?.ifname ?? assert.fail("there is no pair");
    await a.run(["ip", "link", "del", pair]);
    await waitFor("the pair to be put back", () =>
      checkPod(limited, network).then(
        () => true,
        () => false,
      ),
    );
    t.diagnostic(await assertLimited("with another pair", near, limited));
    await deletePod(limited, network);
    await deletePod(near);
    assert.equal(await shapers(a), 0);
  });

  test("Twill after tuning: not the first plugin, with a result before it that is kept", async () => {
    using responder = new Responder();
    // tuning wants a result before it, and loopback is the only plugin that gives one without an interface of the pod.
    const tuning = { type: "tuning", sysctl: { [SYSCTL]: "80" }, dataDir: "/run/tuning" };
    const network = chained([{ type: "loopback" }, tuning], []);
    const pod = await addPod(a, { network });
    const interfaces = (pod.result["interfaces"] as { name: string }[]).map(({ name }) => name);
    assert.ok(interfaces.includes("lo") && interfaces.includes("eth0"), `interfaces are ${interfaces.join(", ")}`);
    assert.equal(pod.addresses[0], "127.0.0.1", "the earlier plugin's address stays");
    const own = pod.addresses.filter((address) => /^(10\.244|fd00:10:244)/.test(address));
    assert.equal(own.length, 2);
    assert.equal((await a.run(["sysctl", "-n", SYSCTL], { netns: pod.netns })).trim(), "80");
    await answerAt(responder, { ...peerOf(pod, "tuned"), addresses: own });
    await assertReaches(b.box.netns, own);
    await checkPod(pod, network);
    await deletePod(pod, network);
  });
});

/** How many devices for limits a node has. */
async function shapers(node: TwillNode): Promise<number> {
  const links = JSON.parse(await node.run(["ip", "-j", "link", "show", "type", "veth"])) as { ifname: string }[];
  return links.filter((l) => /^tw[st][0-9a-f]{12}$/.test(l.ifname)).length;
}

function peerOf(pod: Pod, name: string) {
  return { name, netns: pod.netns, addresses: pod.addresses };
}
