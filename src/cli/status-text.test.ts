import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_ANNOUNCEMENTS } from "../agent/announce/announce-counts.ts";
import type { PolicyStatus } from "../agent/policy/policy-status.ts";
import type { AgentStatus } from "../agent/status/status.ts";
import { SERVICE_STATUS } from "../agent/status/testing.ts";
import { paletteFor } from "./colour.ts";
import { formatStatus } from "./status-text.ts";

const PLAIN = paletteFor(false, {});
const NOW = 10_000_000;

const GOOD: AgentStatus = {
  version: "0.1.0",
  node: "node-1",
  pid: 7,
  startedAtMs: NOW - 3 * 3_600_000,
  isReady: true,
  notReady: [],
  issues: [],
  programs: "0123456789abcdef",
  cluster: {
    source: "https://k",
    isSynced: true,
    isLive: true,
    lagMs: 0,
    lastError: undefined,
    problems: [],
    forbidden: [],
    absent: [],
  },
  underlay: {
    devices: [{ name: "eth0", mtuBytes: 1500 }],
    family: 4,
    podMtuBytes: 1450,
    masqueradeV4: "192.0.2.1",
    masqueradeV6: undefined,
  },
  reconcile: {
    runs: 3,
    lastRunMs: NOW - 5000,
    lastDurationMs: 3,
    failing: 0,
    drifted: 0,
    tables: [{ table: "links", wanted: 2, done: 2, rows: [], failing: 0, problem: undefined }],
  },
  pools: [{ pool: "p", prefix: "10.244.1.0/24", usable: "253", used: "3", cooling: "1", free: "249" }],
  nodes: [
    {
      name: "node-1",
      isSelf: true,
      internalIps: ["192.0.2.1"],
      podCidrs: ["10.244.1.0/24"],
      tunnel: undefined,
      nodeId: undefined,
    },
    {
      name: "node-2",
      isSelf: false,
      internalIps: ["192.0.2.2"],
      podCidrs: ["10.244.2.0/24"],
      tunnel: "192.0.2.2",
      nodeId: 1,
    },
  ],
  endpoints: { total: 3, byState: { ready: 3 } },
  policy: {
    isReady: true,
    problem: undefined,
    policies: 3,
    staged: 1,
    refused: 0,
    rules: 7,
    classes: 4,
    identities: 6,
    tables: [{ table: "policy_sets", rows: 30, limit: 100 }],
    changes: 2,
    lastChangeMs: 1.25,
    closed: [],
    waiting: [],
  },
  services: SERVICE_STATUS,
  events: { taken: { drop: 2, denied: 9 }, unreadable: 0, followers: 1, lostToFollowers: 0 },
  maps: [
    { name: "ct_tcp", type: "hash", entries: 10, maxEntries: 1000 },
    { name: "config", type: "array", entries: undefined, maxEntries: 1 },
  ],
  packets: [
    { name: "forward_local", packets: 5, bytes: 500 },
    { name: "drop_no_route", packets: 2, bytes: 100 },
  ],
  sockets: [],
};

const show = (change: Partial<AgentStatus> = {}, palette = PLAIN) => formatStatus({ ...GOOD, ...change }, palette, NOW);

test("all is well: one screen", () => {
  assert.equal(
    show(),
    `node-1     ready
Agent      twill 0.1.0, pid 7, up 3h, programs 0123456789ab
Cluster    https://k: synced, live
Underlay   eth0 (MTU 1500); IPv4 tunnels; pods' MTU 1450; masquerade to 192.0.2.1
IPAM       10.244.1.0/24: 3 used, 1 cooling, 249 free (1%)
Nodes      node-1 (this one) 10.244.1.0/24
           node-2 10.244.2.0/24 via 192.0.2.2
Policy     3 policies (1 staged), 7 rules in 4 classes, 6 identities; last change 1.3 ms
Services   3 at 7 addresses, 12 backends; last change 0.8 ms
Endpoints  3 ready
Maps       ct_tcp 10/1000 (1%)
Packets    forwarded: local 5; dropped: no_route 2
Events     drop 2, denied 9; 1 following: twill monitor
Kernel     2 rows right, 0 failing, 0 put back; last look 5s ago
`,
  );
});

function closed(id: number): PolicyStatus["closed"][number] {
  const reason = "The cluster does not show the pod, or not its namespace";
  return { key: `${id}`, name: `default/p${id}`, why: "unknown", directions: ["ingress", "egress"], reason };
}

test("policy that is not applied says why; many closed pods are counted", () => {
  const many = Array.from({ length: 8 }, (_, i) => closed(i));
  const policy = { ...GOOD.policy, isReady: false, problem: "EPERM", changes: 0, closed: many };
  const text = show({ policy });
  assert.match(text, /^Policy +not applied: EPERM\n +3 policies/m);
  assert.match(
    show({ policy: { ...GOOD.policy, refused: 2 } }),
    /^Policy +3 policies \(1 staged\), 2 refused, 7 rules/m,
  );
  assert.match(text, /3 more pods are closed/);
  assert.match(
    show({ policy: { ...GOOD.policy, staged: 0, changes: 0 } }),
    /3 policies, 7 rules .*nothing written yet/,
  );
});

const TROUBLES: readonly (readonly [name: string, change: Partial<AgentStatus>, expected: string])[] = [
  [
    "not ready",
    { isReady: false, notReady: ["links: ip link add x: Cannot put link: EPERM"] },
    "  ✗ links: ip link add x: Cannot put link: EPERM",
  ],
  [
    "a full map",
    { maps: [{ name: "nat", type: "hash", entries: 900, maxEntries: 1000 }] },
    '  ! map "nat" is 90% full: raise maps.nat',
  ],
  [
    "an empty pool",
    { pools: [{ pool: "p", prefix: "10.244.1.0/30", usable: "1", used: "1", cooling: "0", free: "0" }] },
    "  ! pool 10.244.1.0/30 has no free address (1 used, 0 cooling)",
  ],
  [
    "an API that is away",
    { cluster: { ...GOOD.cluster, isLive: false, lagMs: 65_000, lastError: "ECONNREFUSED" } },
    "  ! https://k is not live: ECONNREFUSED; nothing changes meanwhile",
  ],
  [
    "a table of policy that is nearly full",
    { policy: { ...GOOD.policy, tables: [{ table: "policy_sets", rows: 90, limit: 100 }] } },
    '  ! policy\'s share of map "policy_sets" is 90% full: raise maps.policy_sets',
  ],
  [
    "a pod that nobody knows",
    { policy: { ...GOOD.policy, closed: [closed(1)] } },
    "  ! default/p1 is closed: The cluster does not show the pod, or not its namespace",
  ],
  [
    "a pod whose start waits",
    { policy: { ...GOOD.policy, waiting: ["default/new"] } },
    "  ! waiting until the cluster shows default/new",
  ],
  ["an issue", { issues: [{ path: "nodes.x", message: "No InternalIP" }] }, "  ! nodes.x: No InternalIP"],
  [
    "an object that is not understood",
    { cluster: { ...GOOD.cluster, problems: ["f.yaml#0: spec: wrong"] } },
    "  ! f.yaml#0: spec: wrong",
  ],
];

for (const [name, change, expected] of TROUBLES)
  test(`what is wrong stands right below the verdict: ${name}`, () => {
    const [head, second] = show(change).split("\n");
    assert.match(head ?? "", change.isReady === false ? /not ready$/ : /ready$/);
    assert.equal(second, expected);
  });

test("a thousand nodes stay one screen", () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({
    ...(GOOD.nodes[1] as AgentStatus["nodes"][number]),
    name: `n-${i}`,
  }));
  const text = show({ nodes: many });
  assert.match(text, /… and 992 more: twill node list/);
  assert.ok(text.split("\n").length < 30);
});

test("what is not known yet is said so", () => {
  const text = show({
    underlay: undefined,
    pools: [],
    nodes: [],
    programs: undefined,
    maps: [],
    packets: [],
    endpoints: { total: 0, byState: {} },
  });
  for (const words of [
    "programs not loaded",
    "not known yet",
    "no pool yet",
    "none known",
    "Endpoints  none",
    "Maps       not loaded",
    "forwarded: none; dropped: none",
  ])
    assert.ok(text.includes(words), words);
});

test("colours: by terminal, NO_COLOR and FORCE_COLOR; columns stay aligned", () => {
  const coloured = show({}, paletteFor(true, { TERM: "xterm" }));
  assert.ok(coloured.includes("\x1b[32mready\x1b[0m"));
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), show());
  assert.equal(show({}, paletteFor(true, { NO_COLOR: "1" })), show());
  assert.equal(show({}, paletteFor(true, { TERM: "dumb" })), show());
  assert.equal(show({}, paletteFor(false, { FORCE_COLOR: "1" })), coloured);
});

test("services that are off, not applied, or not done as they say", () => {
  const text = (services: Partial<AgentStatus["services"]>) => show({ services: { ...GOOD.services, ...services } });
  assert.match(text({ isEnabled: false, isReady: false }), /^Services +off$/m);
  assert.match(text({ isReady: false, problem: "EPERM" }), /^Services +not applied: EPERM; 3 at 7/m);
  assert.match(text({ kubeProxy: { mode: "ipvs", hasRules: true } }), /^ +kube-proxy runs beside \(ipvs\)/m);
  assert.match(
    text({ kubeProxy: { mode: undefined, hasRules: true } }),
    /^ +kube-proxy has left rules.*cleanup kube-proxy$/m,
  );
  const changes = { ...NO_ANNOUNCEMENTS.changes, taken_over: 1 };
  assert.match(
    text({ announce: { ...NO_ANNOUNCEMENTS, held: 2, standby: 3, changes } }),
    /^ +announces 2 addresses, stands by for 3; taken over 1 times$/m,
  );
  assert.match(show({ sockets: [{ name: "no_service", times: 4 }] }), /^ +sockets: no service 4$/m);
  const issues = Array.from({ length: 7 }, (_, i) => `shop/web-${i}: no`);
  const full = text({ issues, issueCount: 250 });
  assert.match(full, /! service shop\/web-4: no\n +! 245 more of services: twill status --json/);
});
