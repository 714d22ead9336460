import assert from "node:assert/strict";
import { test } from "node:test";
import { err, ok, unwrap } from "../base/result.ts";
import { addr } from "../net/addr.ts";
import { parseInterfaceAddr, prefix } from "../net/prefix.ts";
import type { NodeNet } from "../routing/node-net.ts";
import { planClusterRows, rememberingClusterRows } from "./cluster-rows.ts";
import { describeMapRow } from "./describe.ts";
import type { LinkFact, NodeFacts, RouteFact } from "./facts.ts";
import { type EndpointRows, type NodePlanInput, planNode } from "./node-plan.ts";
import { printTables } from "./print.ts";
import type { NetworkSettings } from "./settings.ts";

const SETTINGS: NetworkSettings = {
  clusterCidrs: [prefix("10.244.0.0/16"), prefix("fd00:10:244::/48")],
  tunnel: { port: 8472, vni: 1, hasShortcut: true },
  rejectsDenied: false,
  mtuBytes: "auto",
  devices: "auto",
  masquerade: { isEnabled: true, excludeCidrs: [prefix("172.16.0.0/12")], ports: { first: 10240, last: 29999 } },
};

const link = (name: string, ifindex: number, mtuBytes: number, ...addrs: readonly string[]): LinkFact => ({
  name,
  ifindex,
  mtuBytes,
  addrs: addrs.map((a) => unwrap(parseInterfaceAddr(a))),
  vxlanPort: undefined,
});

const route = (dst: string, dev: string, protocol = 3): RouteFact => ({
  dst: prefix(dst),
  link: dev,
  table: 254,
  protocol,
  gateway: undefined,
});

const node = (name: string, ips: readonly string[], cidrs: readonly string[]): NodeNet => ({
  name,
  internalIps: ips.map(addr),
  podCidrs: cidrs.map(prefix),
});

const FACTS: NodeFacts = {
  links: [
    link("lo", 1, 65536, "127.0.0.1/8", "::1/128"),
    link("eth0", 2, 1500, "192.168.77.11/24", "fd00:77::11/64", "fe80::1/64"),
    link("twill0", 3, 1450, "10.244.1.1/32", "fd00:10:244:1::1/128"),
    link("twill1", 4, 1450),
    link("twill_vx", 5, 1450),
  ],
  routes: [route("0.0.0.0/0", "eth0"), route("::/0", "eth0", 9)],
  hasIpv6: true,
  tracksConnections: false,
  sysctls: new Map([["net/ipv6/conf/eth0/accept_ra", "1"]]),
};

const SELF = node("node-1", ["192.168.77.11", "fd00:77::11"], ["10.244.1.0/24", "fd00:10:244:1::/64"]);
const OTHER = node("node-2", ["192.168.77.12", "fd00:77::12"], ["10.244.2.0/24", "fd00:10:244:2::/64"]);

const plan = (change: Partial<NodePlanInput> = {}) =>
  planNode({
    settings: SETTINGS,
    self: SELF,
    nodes: [SELF, OTHER],
    endpoints: [],
    facts: FACTS,
    clusterRows: (input) => planClusterRows(input, new Map()),
    epoch: 0,
    hasHostPolicy: false,
    hasServices: false,
    sockets: undefined,
    ...change,
  });

const text = (change: Partial<NodePlanInput> = {}) => printTables(plan(change).tables, describeMapRow);

/** A golden: `node --test --test-update-snapshots` writes it anew. */
const CASES: readonly (readonly [name: string, change: Partial<NodePlanInput>])[] = [
  ["dual-stack", {}],
  ["first-run", { facts: { ...FACTS, links: FACTS.links.slice(0, 2) } }],
  ["ipv4-only", { facts: { ...FACTS, hasIpv6: false, routes: [route("0.0.0.0/0", "eth0")] } }],
  [
    "ipv6-underlay",
    {
      self: { ...SELF, internalIps: [addr("fd00:77::11")] },
      nodes: [{ ...OTHER, internalIps: [addr("fd00:77::12")] }],
    },
  ],
];

for (const [name, change] of CASES)
  test(`plan of a node: ${name}`, (t) => {
    t.assert.fileSnapshot(text(change), `${import.meta.dirname}/testdata/${name}.txt`, { serializers: [String] });
  });

/** A pod without a limit. */
function endpointOf(rows: EndpointRows["rows"]): EndpointRows {
  return {
    attachment: { link: "twl000000000001", direction: "ingress", program: "from_pod" },
    rows,
    hostPorts: [],
    shaper: { links: [], qdiscs: [], attachments: [] },
    shaperRows: [],
  };
}

test("the same input gives the same rows, and the revision follows what flows are judged by", () => {
  assert.equal(text(), text());
  const revision = (change: Partial<NodePlanInput>) => /revision (\d+)/.exec(text(change))?.[1];
  const before = revision({});
  for (const change of [
    { nodes: [SELF] },
    { epoch: 1 },
    { settings: { ...SETTINGS, tunnel: { port: 8472, vni: 2, hasShortcut: true } } },
  ])
    assert.notEqual(revision(change), before);
  const endpoints = [endpointOf([{ key: new Uint8Array(16), value: new Uint8Array(32) }])];
  assert.equal(revision({ endpoints }), before, "endpoints come and go without making every flow look up anew");
});

test("a node where a firewall wants to see tunnel packets has no shortcut", () => {
  const settings = { ...SETTINGS, tunnel: { ...SETTINGS.tunnel, hasShortcut: false } };
  assert.match(text({ settings }), /flags masquerade4,masquerade6,no_shortcut /);
});

test("a node that answers what policy denies says so to its programs", () => {
  assert.match(text({ settings: { ...SETTINGS, rejectsDenied: true } }), /flags masquerade4,masquerade6,reject /);
});

test("sockets of the node's control group get their programs; without a group it is said why", () => {
  const group = { path: "/sys/fs/cgroup", id: 1 };
  const { tables, issues } = plan({ sockets: ok(group) });
  assert.equal(tables.socketHooks.length, 8);
  for (const row of tables.socketHooks) assert.deepEqual(row, { hook: row.hook, program: `sock_${row.hook}`, group });
  assert.deepEqual(issues, plan().issues);
  const none = plan({ sockets: err("No cgroup2 file system is mounted") });
  assert.deepEqual(none.tables.socketHooks, []);
  assert.deepEqual(none.issues.at(-1), {
    path: "services.socketCgroup",
    message: "No cgroup2 file system is mounted: what sockets ask of services is translated packet by packet",
  });
  assert.deepEqual(plan({ sockets: undefined }).tables.socketHooks, []);
});

test("a node that policy speaks of says so to its programs", () => {
  assert.match(text({ hasHostPolicy: true }), /flags masquerade4,masquerade6,host_policy /);
  assert.match(text({ hasServices: true }), /flags masquerade4,masquerade6,services /);
});

test("a node whose firewall follows connections says so to its programs", () => {
  const facts = { ...FACTS, tracksConnections: true };
  assert.match(text({ facts }), /flags masquerade4,masquerade6,tracked /);
});

test("a pod's device gets its program", () => {
  const { attachments } = plan({ endpoints: [endpointOf([])] }).tables;
  assert.deepEqual(attachments.at(-1), { link: "twl000000000001", direction: "ingress", program: "from_pod" });
});

const issuesOf = (change: Partial<NodePlanInput>) => plan(change).issues.map((i) => `${i.path}: ${i.message}`);

const ISSUES: readonly (readonly [name: string, change: Partial<NodePlanInput>, expected: RegExp])[] = [
  [
    "overlapping pod CIDR",
    { nodes: [SELF, { ...OTHER, podCidrs: SELF.podCidrs }] },
    /^nodes.node-2: "10.244.1.0\/24" overlaps .* of node "node-1"/,
  ],
  [
    "a CIDR around ours",
    { nodes: [SELF, { ...OTHER, podCidrs: [prefix("10.244.0.0/20")] }] },
    /^nodes.node-2: "10.244.0.0\/20" overlaps "10.244.1.0\/24" of node "node-1"/,
  ],
  [
    "stray pod CIDR",
    { nodes: [SELF, { ...OTHER, podCidrs: [prefix("10.9.0.0/24")] }] },
    /"10.9.0.0\/24" lies outside of the cluster CIDRs "10.244.0.0\/16"/,
  ],
  [
    "our InternalIP taken",
    { nodes: [SELF, { ...OTHER, internalIps: SELF.internalIps }] },
    /^nodes.node-2: "192.168.77.11\/32" overlaps/,
  ],
  ["node without address", { nodes: [SELF, { ...OTHER, internalIps: [] }] }, /^nodes.node-2: No InternalIP/],
  [
    "InternalIP on no device",
    { self: { ...SELF, internalIps: [addr("192.168.77.99")] } },
    /InternalIP "192.168.77.99" stands on no device/,
  ],
  [
    "no device at all",
    { facts: { ...FACTS, links: FACTS.links.slice(0, 1), routes: [] } },
    /^devices: No device has an InternalIP/,
  ],
  [
    "device that is not there",
    { settings: { ...SETTINGS, devices: ["eth7"] } },
    /^devices\[0\]: "eth7" matches no device: there are "lo", "eth0"/,
  ],
  ["MTU that does not fit", { settings: { ...SETTINGS, mtuBytes: 1500 } }, /^mtu: 1500 is more than the 1450 that fit/],
  [
    "another plugin's VXLAN device on our port",
    { facts: { ...FACTS, links: [...FACTS.links, { ...link("flannel.1", 9, 1450), vxlanPort: 8472 }] } },
    /^tunnel.port: VXLAN device "flannel.1" has UDP port 8472 already/,
  ],
  [
    "another plugin's bridge",
    { facts: { ...FACTS, routes: [...FACTS.routes, route("10.244.1.0/24", "cni0")] } },
    /^routes: Route 10.244.1.0\/24 on "cni0" takes packets/,
  ],
  [
    "another plugin's routes, counted",
    { facts: { ...FACTS, routes: Array.from({ length: 9 }, (_, i) => route(`10.244.${i}.0/24`, "flannel.1")) } },
    /^routes: 4 more routes/,
  ],
  ["MTU below IPv6's", { settings: { ...SETTINGS, mtuBytes: 1000 } }, /^mtu: 1000 is less than the 1280/],
];

for (const [name, change, expected] of ISSUES)
  test(`issue: ${name}`, () => {
    const found = issuesOf(change);
    assert.ok(
      found.some((i) => expected.test(i)),
      found.join("\n"),
    );
  });

test("what is ours, or has nothing to do with us, is no issue", () => {
  const routes = [
    ...FACTS.routes,
    { ...route("10.244.0.0/16", "twill0"), protocol: 87 },
    route("172.17.0.0/16", "docker0"),
  ];
  const vxlan = { ...link("vx9", 9, 1450), vxlanPort: 4789 };
  const own = { ...link("twill_vx", 5, 1450), vxlanPort: 8472 };
  const links = [...FACTS.links.filter((l) => l.name !== "twill_vx"), own, vxlan];
  assert.deepEqual(issuesOf({ facts: { ...FACTS, routes, links } }), []);
});

test("a conflict costs only the loser: this node and others keep what is theirs", () => {
  const thief = node("a-thief", ["192.168.77.13"], ["10.244.1.0/24", "10.244.2.0/24"]);
  const rows = text({ nodes: [SELF, OTHER, thief] });
  assert.match(rows, /ipcache 10\.244\.1\.0\/24 flags no_masquerade,pod_cidr\n/);
  assert.match(rows, /ipcache 10\.244\.2\.0\/24 .* tunnel 192\.168\.77\.13/, "the first by name keeps it");
  assert.match(rows, /ipcache fd00:10:244:2::\/64 .* tunnel 192\.168\.77\.12/);
});

test("nodes keep their numbers when others come and go", () => {
  const third = node("node-0", ["192.168.77.13"], ["10.244.3.0/24"]);
  const ids = new Map([["192.168.77.12", 7]]);
  const rows = text({ nodes: [third, SELF, OTHER], clusterRows: (input) => planClusterRows(input, ids) });
  assert.match(rows, /nodes 192\.168\.77\.12 node 7\n/);
  assert.match(rows, /nodes 192\.168\.77\.13 node 1\n/);
});

test("rows of an unchanged cluster are the very same arrays; a change keeps everybody's number", () => {
  let asked = 0;
  const clusterRows = rememberingClusterRows(() => {
    asked++;
    return new Map([["192.168.77.12", 9]]);
  });
  const nodes = [SELF, OTHER];
  const ipcache = (change: Partial<NodePlanInput>) =>
    plan({ clusterRows, nodes, ...change }).tables.maps.get("ipcache");
  const first = ipcache({});
  assert.equal(ipcache({ endpoints: [endpointOf([])] }), first);
  const third = node("node-0", ["192.168.77.13"], ["10.244.3.0/24"]);
  assert.notEqual(ipcache({ nodes: [...nodes, third] }), first);
  assert.match(text({ clusterRows, nodes: [...nodes, third] }), /nodes 192\.168\.77\.12 node 9\n/);
  assert.equal(asked, 1);
});
