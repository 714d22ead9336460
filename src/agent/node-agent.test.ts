import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync as writeText } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { FakeSource, testNode } from "../cluster/fake-source.ts";
import { createFakeKernel } from "../kernel/fake/fake-kernel.ts";
import { KernelError } from "../kernel/kernel.ts";
import { createInterner } from "../model/intern.ts";
import { parseHostEndpoint } from "../model/policy/calico-objects.ts";
import { decodeHostEntry, decodeHostKey, decodePolicyClassKey } from "../net/gen/bpf-maps.ts";
import { parseInterfaceAddr } from "../net/prefix.ts";
import { hasHostPolicy } from "../plan/map-rows.ts";
import type { NodeNet } from "../routing/node-net.ts";
import { ClusterMemory } from "./cluster-memory.ts";
import { parseConfig } from "./config/config.ts";
import { Host, issuesOf, OTHER, SELF, started } from "./fake-host.ts";

test("one run makes everything; the second writes nothing", () => {
  using host = new Host();
  const agent = started(host);
  assert.deepEqual(agent.notReady(), []);
  assert.deepEqual(agent.issues(), []);
  assert.ok((agent.report?.writes ?? 0) > 30);
  agent.run();
  assert.equal(agent.report?.writes, 0);
  assert.equal(agent.counts.drifted, 0);
});

test("a restarted agent finds everything as it should be", () => {
  using host = new Host();
  started(host);
  const next = host.agent();
  next.run();
  assert.equal(next.report?.writes, 0);
  assert.deepEqual(next.notReady(), []);
});

test("each thing that somebody changes is put back, and counted", () => {
  const damages: readonly (readonly [name: string, (host: Host) => void])[] = [
    ["a device removed", (h) => createFakeKernel({ machine: h.machine }).deleteLink("twill_vx")],
    ["the pair removed", (h) => createFakeKernel({ machine: h.machine }).deleteLink("twill0")],
    ["a program on sockets", (h) => createFakeKernel({ machine: h.machine }).deleteSocketHook({ hook: "connect4" })],
    ["a setting", (h) => createFakeKernel({ machine: h.machine }).setSysctl("net/ipv4/ip_forward", "0")],
    [
      "an address",
      (h) =>
        createFakeKernel({ machine: h.machine }).deleteAddr({
          link: "twill0",
          address: unwrap(parseInterfaceAddr("10.244.1.1/32")),
        }),
    ],
    [
      "a route",
      (h) => {
        const kernel = createFakeKernel({ machine: h.machine });
        const route = kernel.routes().find((r) => r.protocol === 87);
        assert.ok(route);
        kernel.deleteRoute(route);
      },
    ],
    [
      "a program",
      (h) => createFakeKernel({ machine: h.machine }).deleteAttachment({ link: "eth0", direction: "egress" }),
    ],
    [
      "map entries",
      (h) => {
        const kernel = createFakeKernel({ machine: h.machine });
        kernel.deleteMapKeys(
          "ipcache",
          kernel.mapRows("ipcache").map((r) => r.key),
        );
      },
    ],
    [
      "a foreign map entry",
      (h) =>
        createFakeKernel({ machine: h.machine }).putMapRows("nodes", [
          { key: new Uint8Array(16).fill(7), value: new Uint8Array(8) },
        ]),
    ],
  ];
  for (const [name, damage] of damages) {
    using host = new Host();
    const agent = started(host);
    damage(host);
    agent.run(true);
    assert.ok((agent.report?.writes ?? 0) > 0, name);
    assert.deepEqual(agent.notReady(), [], name);
    agent.run(true);
    assert.equal(agent.report?.writes, 0, name);
  }
});

test("mended drift makes flows look their decisions up anew, though nothing wanted has changed", () => {
  using host = new Host();
  const agent = started(host);
  const kernel = createFakeKernel({ machine: host.machine });
  const revision = () => kernel.mapGet("config", new Uint8Array(4));
  const before = revision();
  kernel.deleteMapKeys(
    "ipcache",
    kernel.mapRows("ipcache").map((r) => r.key),
  );
  agent.run(true);
  assert.notDeepEqual(revision(), before);
});

test("looks at everything that take long are further apart", () => {
  using host = new Host();
  host.source.setNodes(SELF, OTHER);
  const kernel = createFakeKernel({ machine: host.machine });
  let lookMs = 0;
  const { links } = kernel;
  kernel.links = () => {
    for (const before = process.cpuUsage(); process.cpuUsage(before).user < 1000 * lookMs; );
    return links.call(kernel);
  };
  const text = "cluster: dir:/etc/twill/objects\nresyncSeconds: 5";
  const config = unwrap(parseConfig(text, { set: new Map(), defaultNodeName: "node-1" }));
  const agent = host.agent({ kernel, config });
  agent.run(true);
  lookMs = 80;
  const next = agent.run(true);
  assert.ok(next - host.clockMs >= 100 * lookMs, `again after ${next - host.clockMs} ms`);
  lookMs = 300;
  assert.equal(agent.run(true) - host.clockMs, 15_000, "health asks for one in four periods");
});

test("nodes that come, change and go change only their own rows", () => {
  using host = new Host();
  const agent = started(host);
  const kernel = createFakeKernel({ machine: host.machine });
  const rows = kernel.mapCount("ipcache");
  host.source.setNodes(SELF, OTHER, testNode("node-3", ["192.168.77.13"], ["10.244.3.0/24"]));
  agent.run();
  assert.equal(kernel.mapCount("ipcache"), rows + 3);
  assert.equal(agent.nodeIds().get("192.168.77.12"), 1);
  assert.equal(agent.nodeIds().get("192.168.77.13"), 2);
  host.source.setNodes(SELF, testNode("node-3", ["192.168.77.14"], ["10.244.3.0/24"]));
  agent.run();
  assert.equal(agent.nodeIds().get("192.168.77.12"), undefined);
  assert.notEqual(agent.nodeIds().get("192.168.77.14"), undefined);
  assert.deepEqual(agent.notReady(), []);
});

test("a row that fails is tried again with growing pauses, and keeps no other from being written", () => {
  using host = new Host();
  host.source.setNodes(SELF, OTHER);
  const agent = host.agent();
  for (let i = 0; i < 3; i++) host.machine.failNext("putRoute", new KernelError("add route", "ENOMEM", 12));
  agent.run();
  assert.match(agent.notReady().join("\n"), /routes: ip route replace .*: Cannot add route: ENOMEM/);
  assert.ok(createFakeKernel({ machine: host.machine }).mapCount("ipcache") > 0);
  assert.ok(agent.report?.tables.every((t) => t.table === "routes" || t.failing === 0));
  const retryAtMs = agent.report?.retryAtMs ?? 0;
  assert.ok(retryAtMs > host.clockMs && retryAtMs <= host.clockMs + 1000);
  agent.run();
  assert.equal(agent.report?.failing, 2, "too early: not tried");
  host.clockMs = retryAtMs;
  agent.run();
  host.clockMs += 60_000;
  agent.run();
  assert.deepEqual(agent.notReady(), []);
});

test("a full ipcache is an issue and keeps no pod of this node from starting", () => {
  using host = new Host();
  host.source.setNodes(SELF, OTHER);
  const config = unwrap(
    parseConfig("{cluster: dir:/etc/twill/objects, maps: {ipcache: 16}}", {
      set: new Map(),
      defaultNodeName: "node-1",
    }),
  );
  const agent = host.agent({ config });
  const many = Array.from({ length: 20 }, (_, i) =>
    testNode(`x-${i}`, [`192.168.78.${i + 1}`], [`10.244.${i + 10}.0/24`]),
  );
  host.source.setNodes(SELF, ...many);
  agent.run();
  assert.deepEqual(agent.notReady(), []);
  assert.match(issuesOf(agent), /map\/ipcache: .*16/);
});

test("what keeps pods from being attached is said in words", () => {
  using host = new Host();
  const agent = host.agent();
  agent.run();
  assert.deepEqual(agent.notReady(), ["Waiting for the first answer of test"]);
  host.source.setNodes(OTHER);
  agent.run();
  assert.deepEqual(agent.notReady(), ['There is no node "node-1" in test: is "nodeName" right?']);
  host.source.setNodes({ ...SELF, podCidrs: [] });
  agent.run();
  assert.match(agent.notReady().join(), /^Node "node-1" has no pod CIDR in spec\.podCIDRs yet: .* allocateNodeCIDRs$/);
  host.source.setNodes(SELF);
  agent.run();
  assert.deepEqual(agent.notReady(), []);
});

test("an API that went away, or lost our node, changes nothing: also over a restart", () => {
  using host = new Host();
  started(host);
  const silent = host.agent({ source: new FakeSource() });
  silent.run();
  assert.equal(silent.report?.writes, 0);
  assert.deepEqual(silent.notReady(), []);
  assert.equal(silent.pools().length, 2, "pods can be attached");
  const agent = host.agent();
  agent.run();
  host.source.setNodes(OTHER);
  agent.run();
  assert.equal(agent.report?.writes, 0);
  assert.match(agent.notReady().join(), /There is no node "node-1"/);
});

test("a node that is named anew keeps its pods, says which Node object is too many, and is right once that is gone", () => {
  using host = new Host();
  const before = started(host);
  host.addPod(before, "pod-a");
  const set = new Map([["nodeName", "node-new"]]);
  const config = unwrap(parseConfig("cluster: dir:/etc/twill/objects", { set, defaultNodeName: "x" }));
  const renamed = { ...SELF, name: "node-new", podCidrs: testNode("x", [], ["10.244.7.0/24"]).podCidrs };
  const agent = host.agent({ config });
  agent.run();
  assert.match(agent.notReady().join(), /^There is no node "node-new" in test: is "nodeName" right\?$/);
  host.source.setNodes(SELF, OTHER, renamed);
  agent.run();
  assert.deepEqual(agent.notReady(), []);
  const issues = () => agent.issues().map((i) => `${i.path}: ${i.message}`);
  assert.match(
    issues().join("\n"),
    /nodes\.node-1: "192\.168\.77\.11\/32" overlaps .* of node "node-new".*: .* or delete the Node object/,
  );
  assert.match(
    issues().join("\n"),
    /endpoints\.\d+: Address "10\.244\.1\.\d+" of .*pod-a.* in none of this node's pod CIDRs any more/,
  );
  const kernel = createFakeKernel({ machine: host.machine });
  assert.equal(kernel.mapCount("endpoints"), 2, "the pod is there as before");
  host.source.setNodes(OTHER, { ...renamed, podCidrs: SELF.podCidrs });
  agent.run();
  assert.deepEqual(issues(), []);
  assert.equal(kernel.mapCount("endpoints"), 2);
});

test("the memory of nodes refuses what is not exactly right", () => {
  using host = new Host();
  started(host);
  const path = join(host.directory, "nodes.json");
  const memory = new ClusterMemory(path);
  const names = (nodes: readonly NodeNet[] | undefined) => nodes?.map((n) => n.name);
  assert.deepEqual(names(memory.load()), ["node-1", "node-2"]);
  const text = readFileSync(path, "utf8");
  for (const broken of [
    "",
    "{}",
    text.slice(0, -10),
    text.replace("10.244.1.0/24", "10.244.1.0/99"),
    text.replace(":1,", ":2,"),
  ]) {
    const other = new ClusterMemory(path);
    rmSync(path);
    other.save([]);
    assert.deepEqual(names(other.load()), []);
    rmSync(path);
    writeText(path, broken);
    assert.equal(other.load(), undefined, broken.slice(0, 40));
  }
});

function hostPolicy(host: Host) {
  const kernel = createFakeKernel({ machine: host.machine });
  const devices = kernel.mapRows("hosts").map((r) => decodeHostKey(r.key).ifindex);
  const [config] = kernel.mapRows("config");
  return { devices: devices.sort(), isOn: config !== undefined && hasHostPolicy(config.value) };
}

test("a host endpoint switches the judgement of the node on, its end off; what is of no device is named", () => {
  using host = new Host();
  const agent = started(host);
  const eth0 = createFakeKernel({ machine: host.machine })
    .links()
    .find((l) => l.name === "eth0");
  const off = { devices: [], isOn: false };
  assert.deepEqual(hostPolicy(host), off);
  const put = (name: string, interfaceName: string | undefined) => {
    const spec = { node: "node-1", interfaceName };
    const row =
      interfaceName === undefined
        ? undefined
        : unwrap(parseHostEndpoint({ metadata: { name, labels: {} }, spec }, createInterner()));
    host.source.change({ hostEndpoints: [{ key: name, row }] });
    if (!agent.policy.apply()) agent.run();
  };
  put("all", "*");
  assert.deepEqual(hostPolicy(host), { devices: [0], isOn: true });
  put("one", "eth0");
  assert.deepEqual(hostPolicy(host), { devices: [0, eth0?.ifindex], isOn: true });
  put("astray", "eth9");
  assert.deepEqual(
    agent.issues().map((i) => i.path),
    ["policy.hostEndpoints.astray"],
  );
  // The next agent numbers anew, and leaves nothing of this one's.
  const next = host.agent();
  next.run();
  next.dropPredecessor();
  next.compare(() => false);
  assert.deepEqual(hostPolicy(host), { devices: [0, eth0?.ifindex], isOn: true });
  const kernel = createFakeKernel({ machine: host.machine });
  const classes = new Set(kernel.mapRows("policy_classes").map((r) => decodePolicyClassKey(r.key).number));
  for (const { value } of kernel.mapRows("hosts")) {
    const { ingressClass, egressClass } = decodeHostEntry(value);
    assert.ok(classes.has(ingressClass) && classes.has(egressClass), `classes ${ingressClass} and ${egressClass}`);
  }
  for (const name of ["all", "one", "astray"]) host.source.change({ hostEndpoints: [{ key: name, row: undefined }] });
  next.run();
  assert.deepEqual(hostPolicy(host), off);
  assert.deepEqual(next.issues(), []);
});

test("settings that change while an agent lives take effect with its next run", () => {
  using host = new Host();
  host.source.setNodes(SELF, OTHER);
  const parse = (text: string) =>
    unwrap(parseConfig(`cluster: dir:/x\n${text}`, { set: new Map(), defaultNodeName: "node-1" }));
  const config = { ...parse("") };
  const agent = host.agent({ config });
  agent.run();
  const kernel = createFakeKernel({ machine: host.machine });
  const mtu = () => kernel.links().find((l) => l.name === "twill0")?.mtuBytes;
  const routes = () => kernel.routes().filter((r) => r.protocol === 87 && r.dst.family === 4);
  const dsts = () => new Set(routes().map((r) => r.dst.text));
  assert.deepEqual([mtu(), agent.policy.openClasses() !== undefined], [1450, true]);
  Object.assign(
    config,
    parse("mtu: 1400\npolicy: {mode: always}\nclusterCIDRs: [10.244.0.0/16, 10.99.0.0/16, 'fd00:10:244::/48']"),
  );
  assert.equal(agent.policy.apply(), false, "a run has to follow");
  agent.run();
  assert.deepEqual([mtu(), agent.policy.openClasses(), dsts().has("10.99.0.0/16")], [1400, undefined, true]);
  assert.equal(kernel.links().find((l) => l.name === "twill_vx")?.vxlan?.port, 8472);
  Object.assign(config, parse("tunnel: {port: 4789}"));
  agent.run();
  agent.run();
  assert.deepEqual([mtu(), agent.policy.openClasses() !== undefined, dsts().has("10.99.0.0/16")], [1450, true, false]);
  assert.equal(kernel.links().find((l) => l.name === "twill_vx")?.vxlan?.port, 4789);
  assert.deepEqual(agent.notReady(), []);
  agent.run();
  assert.equal(agent.report?.writes, 0, "and then there is nothing to write");
});
