import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NO_ANNOUNCEMENTS } from "./announce/announce-counts.ts";
import { CallStats } from "./call-stats.ts";
import { type MetricSources, renderMetrics } from "./metrics.ts";
import { Latency } from "./service/latency.ts";
import type { AgentStatus } from "./status/status.ts";
import { SERVICE_STATUS } from "./status/testing.ts";

const STATUS: AgentStatus = {
  version: "0.1.0",
  node: "n",
  pid: 1,
  startedAtMs: 5000,
  isReady: true,
  notReady: [],
  issues: [{ path: "x", message: "y" }],
  programs: "t",
  cluster: {
    source: "s",
    isSynced: true,
    isLive: false,
    lagMs: 1500,
    lastError: "e",
    problems: ["p"],
    forbidden: [],
    absent: [],
  },
  underlay: undefined,
  reconcile: {
    runs: 4,
    lastRunMs: 1,
    lastDurationMs: 20,
    failing: 1,
    drifted: 2,
    tables: [{ table: "map/ipcache", wanted: 9, done: 8, rows: [], failing: 1, problem: undefined }],
  },
  pools: [
    {
      pool: "fd00::/64",
      prefix: "fd00::/64",
      usable: "18446744073709551614",
      used: "1",
      cooling: "2",
      free: "18446744073709551611",
    },
  ],
  nodes: [],
  endpoints: { total: 3, byState: { ready: 2, deleting: 1 } },
  policy: {
    isReady: true,
    problem: undefined,
    policies: 3,
    staged: 1,
    refused: 2,
    rules: 7,
    classes: 4,
    identities: 6,
    tables: [{ table: "policy_sets", rows: 30, limit: 100 }],
    changes: 2,
    lastChangeMs: 500,
    closed: [{ key: "1", name: "a/b", why: "overflow", directions: ["ingress"], reason: "r" }],
    waiting: ["a/c"],
  },
  services: {
    ...SERVICE_STATUS,
    announce: { ...NO_ANNOUNCEMENTS, held: 2, standby: 5, changes: { ...NO_ANNOUNCEMENTS.changes, taken_over: 1 } },
  },
  events: { taken: { drop: 2, denied: 9 }, unreadable: 1, followers: 3, lostToFollowers: 4 },
  maps: [
    { name: "nat", type: "hash", entries: 7, maxEntries: 100 },
    { name: "config", type: "array", entries: undefined, maxEntries: 1 },
  ],
  packets: [{ name: "drop_no_route", packets: 3, bytes: 300 }],
  sockets: [{ name: "refused", times: 9 }],
};

const CALLS = new CallStats();
CALLS.note("ADD", 50, 3);

const LATENCY = new Latency("service_change_duration", "Time from the news of a change until it is in the kernel");
LATENCY.note(0.003);

const SOURCES: MetricSources = {
  status: () => STATUS,
  writes: new Map([["map/ipcache put", 12]]),
  failures: new Map([["routes", 2]]),
  repairs: new Map([["device", 1]]),
  expired: () => new Map([["nat", 40]]),
  earlyReuses: () => 6,
  policyHits: () => [
    { kind: "NetworkPolicy", direction: "ingress", action: "deny", isStaged: false, packets: 12 },
    { kind: "StagedNetworkPolicy", direction: "egress", action: "deny", isStaged: true, packets: 13 },
  ],
  calls: CALLS,
  serviceLatency: LATENCY,
  refusedCalls: () => new Map([["malformed", 5]]),
};

test("a scrape says everything, in Prometheus' format, with stable names", async () => {
  const { text, contentType } = await renderMetrics(SOURCES);
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
  const lines = new Set(text.split("\n"));
  for (const line of [
    'twill_agent_info{version="0.1.0"} 1',
    "twill_agent_ready 1",
    "twill_agent_start_time_seconds 5",
    "twill_issues 1",
    "twill_cluster_lag_seconds 1.5",
    "# TYPE twill_reconcile_runs_total counter",
    "twill_reconcile_runs_total 4",
    "twill_reconcile_last_duration_seconds 0.02",
    "twill_reconcile_drift_total 2",
    'twill_reconcile_writes_total{table="map/ipcache",action="put"} 12',
    'twill_reconcile_failures_total{table="routes"} 2',
    'twill_rows{table="map/ipcache",state="error"} 1',
    'twill_repairs_total{kind="device"} 1',
    "# TYPE twill_ipam_addresses gauge",
    'twill_ipam_addresses{pool="fd00::/64",state="used"} 1',
    "twill_ipam_early_reuses_total 6",
    'twill_cni_calls_total{command="ADD",code="50"} 1',
    "twill_services 3",
    "# TYPE twill_service_sockets_total counter",
    'twill_service_sockets_total{what="refused"} 9',
    'twill_announced_addresses{state="held"} 2',
    'twill_announced_addresses{state="standby"} 5',
    'twill_announce_changes_total{what="taken_over"} 1',
    'twill_announce_frames_total{kind="arp_announcement"} 0',
    "twill_service_frontends 7",
    "twill_service_forgotten_total 2",
    'twill_service_change_duration_seconds_bucket{le="0.002"} 0',
    'twill_service_change_duration_seconds_bucket{le="0.005"} 1',
    "twill_service_change_duration_seconds_count 1",
    'twill_cni_refused_total{reason="malformed"} 5',
    'twill_cni_call_duration_seconds_bucket{command="ADD",le="0.005"} 1',
    'twill_endpoints{state="deleting"} 1',
    "twill_policy_ready 1",
    'twill_policies{mode="enforce"} 2',
    'twill_policies{mode="stage"} 1',
    "twill_policy_refused 2",
    "twill_policy_rules 7",
    'twill_policy_table_rows{table="policy_sets"} 30',
    'twill_policy_table_limit{table="policy_sets"} 100',
    "twill_policy_last_change_seconds 0.5",
    'twill_policy_closed_endpoints{why="overflow"} 1',
    'twill_policy_closed_endpoints{why="unknown"} 0',
    "twill_policy_waiting_pods 1",
    'twill_policy_verdicts_total{kind="NetworkPolicy",direction="ingress",action="deny",staged="false"} 12',
    'twill_policy_verdicts_total{kind="StagedNetworkPolicy",direction="egress",action="deny",staged="true"} 13',
    'twill_events_total{kind="denied"} 9',
    "twill_events_unreadable_total 1",
    "twill_event_followers 3",
    "twill_events_lost_to_followers_total 4",
    'twill_map_entries{map="nat"} 7',
    'twill_map_max_entries{map="nat"} 100',
    'twill_flows_expired_total{map="nat"} 40',
    'twill_packets_total{what="drop_no_route"} 3',
    'twill_bytes_total{what="drop_no_route"} 300',
  ])
    assert.ok(lines.has(line), `${line}\nin\n${text}`);
  assert.ok(!text.includes('map="config"'), "what has no entries has no fill");
});

test("scraping twice counts nothing twice", async () => {
  const first = (await renderMetrics(SOURCES)).text.replace(/^twill_agent_(resident|heap|cpu).*$/gm, "");
  const second = (await renderMetrics(SOURCES)).text.replace(/^twill_agent_(resident|heap|cpu).*$/gm, "");
  assert.equal(second, first);
});

test("docs/operations.md names exactly the metrics that there are", async () => {
  const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const table = page.slice(page.indexOf("## Metrics"), page.indexOf("Worth an alert"));
  const named = [...table.matchAll(/`(twill_\w+)`/g)].map((m) => m[1]);
  const { text } = await renderMetrics(SOURCES);
  const present = [...text.matchAll(/^# TYPE (\w+) /gm)].map((m) => m[1]);
  assert.deepEqual([...named].sort(), [...present].sort());
});
