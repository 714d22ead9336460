/** Prometheus metrics: figures are read when somebody asks for them, nothing is counted twice. */

import type { Registry } from "prom-client";
import type { CallStats } from "./call-stats.ts";
import type { HitTotal } from "./policy/policy-hits.ts";
import type { Latency } from "./service/latency.ts";
import type { AgentStatus } from "./status/status.ts";

/** What a scrape reads beside the status. */
export interface MetricSources {
  status(): AgentStatus;
  /** Kernel writes by `table action`. */
  readonly writes: ReadonlyMap<string, number>;
  /** Failed rows by table. */
  readonly failures: ReadonlyMap<string, number>;
  /** Left-over things removed by kind. */
  readonly repairs: ReadonlyMap<string, number>;
  /** Flows collected by map. */
  expired(): ReadonlyMap<string, number>;
  readonly calls: CallStats;
  readonly serviceLatency: Pick<Latency, "exposition">;
  /** Calls that were refused before they were read: bounds, malformed ones, callers that had gone. */
  refusedCalls(): ReadonlyMap<string, number>;
  /** Addresses given out again before their cool-down was over. */
  earlyReuses(): number;
  /** Verdicts of rules, by what they are about. */
  policyHits(): readonly HitTotal[];
}

/** One figure of a metric. */
interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly isCounter: boolean;
  readonly labels: readonly string[];
  readonly samples: readonly Sample[];
}

function family(name: string, help: string, labels: readonly string[], samples: readonly Sample[]): Family {
  return { name: `twill_${name}`, help, isCounter: name.endsWith("_total"), labels, samples };
}

function single(name: string, help: string, value: number): Family {
  return family(name, help, [], [{ labels: {}, value }]);
}

function byLabel(label: string, map: ReadonlyMap<string, number>): Sample[] {
  return Array.from(map, ([key, value]) => ({ labels: { [label]: key }, value }));
}

function agentFamilies(s: AgentStatus): Family[] {
  return [
    family("agent_info", "Version of the agent", ["version"], [{ labels: { version: s.version }, value: 1 }]),
    single("agent_ready", "1: pods can be attached", s.isReady ? 1 : 0),
    single("agent_start_time_seconds", "Unix time of the agent's start", s.startedAtMs / 1000),
    single("agent_resident_memory_bytes", "Memory of the agent's process", process.memoryUsage.rss()),
    single("agent_heap_bytes", "Of it, what the agent's objects take, with what is not collected yet", heapBytes()),
    single("agent_cpu_seconds_total", "CPU time of the agent's process", totalCpuSeconds()),
    single("issues", "Things that are not right but keep no pod from being attached", s.issues.length),
    single("cluster_synced", "1: the cluster's objects are known", s.cluster.isSynced ? 1 : 0),
    single("cluster_lag_seconds", "How long the stalest table has been without a connection", s.cluster.lagMs / 1000),
    single("cluster_problems", "Objects that could not be read", s.cluster.problems.length),
    single("nodes", "Nodes that are known", s.nodes.length),
  ];
}

function heapBytes(): number {
  return process.memoryUsage().heapUsed;
}

function totalCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function reconcileFamilies(s: AgentStatus, sources: MetricSources): Family[] {
  const { reconcile: r } = s;
  const writes = Array.from(sources.writes, ([key, value]) => {
    const [table = "", action = ""] = key.split(" ");
    return { labels: { table, action }, value };
  });
  const rows = r.tables.flatMap((t) => [
    { labels: { table: t.table, state: "done" }, value: t.done },
    { labels: { table: t.table, state: "error" }, value: t.failing },
  ]);
  return [
    single("reconcile_runs_total", "Comparisons of everything wanted with the kernel", r.runs),
    single("reconcile_last_duration_seconds", "Time that the last run took", r.lastDurationMs / 1000),
    single("reconcile_drift_total", "Rows put back because somebody else had changed them", r.drifted),
    family("reconcile_writes_total", "Kernel rows written or removed", ["table", "action"], writes),
    family("reconcile_failures_total", "Attempts that failed", ["table"], byLabel("table", sources.failures)),
    family("rows", "Wanted rows by their state", ["table", "state"], rows),
    family(
      "repairs_total",
      "Left-over attachments and devices removed, lost ones taken up",
      ["kind"],
      byLabel("kind", sources.repairs),
    ),
  ];
}

function podFamilies(s: AgentStatus, sources: MetricSources): Family[] {
  const states = ["used", "cooling", "free"] as const;
  const addresses = s.pools.flatMap((p) =>
    states.map((state) => ({ labels: { pool: p.pool, state }, value: Number(p[state]) })),
  );
  const codes = Array.from(sources.calls.codes, ([key, value]) => {
    const [command = "", code = ""] = key.split(" ");
    return { labels: { command, code }, value };
  });
  const refused = byLabel("reason", sources.refusedCalls());
  const endpoints = byLabel("state", new Map(Object.entries(s.endpoints.byState)));
  return [
    family("ipam_addresses", "Addresses of a pool by their state", ["pool", "state"], addresses),
    single(
      "ipam_early_reuses_total",
      "Addresses given out again before their cool-down was over",
      sources.earlyReuses(),
    ),
    family("cni_calls_total", "Calls of the plugin; code 0 is success", ["command", "code"], codes),
    family("cni_refused_total", "Connections that brought no call", ["reason"], refused),
    family("endpoints", "Attachments by their state", ["state"], endpoints),
  ];
}

function dataPlaneFamilies(s: AgentStatus, sources: MetricSources): Family[] {
  const counted = s.maps.filter((m) => m.entries !== undefined);
  const each = (value: (p: AgentStatus["packets"][number]) => number) =>
    s.packets.map((p) => ({ labels: { what: p.name }, value: value(p) }));
  return [
    family(
      "map_entries",
      "Entries of a BPF map",
      ["map"],
      counted.map((m) => ({ labels: { map: m.name }, value: m.entries ?? 0 })),
    ),
    family(
      "map_max_entries",
      "Most entries that a BPF map takes",
      ["map"],
      counted.map((m) => ({ labels: { map: m.name }, value: m.maxEntries })),
    ),
    family("flows_expired_total", "Flows that were over and collected", ["map"], byLabel("map", sources.expired())),
    family(
      "packets_total",
      "Packets by what happened to them; drop_* are lost ones",
      ["what"],
      each((p) => p.packets),
    ),
    family(
      "bytes_total",
      "Bytes of packets by what happened to them",
      ["what"],
      each((p) => p.bytes),
    ),
  ];
}

/** Nothing here has a label that grows with the number of objects: what one policy did is on `GET /v1/policy`. */
function policyFamilies({ policy: p }: AgentStatus, sources: MetricSources): Family[] {
  const verdicts = sources.policyHits().map(({ kind, direction, action, isStaged, packets }) => ({
    labels: { kind, direction, action, staged: `${isStaged}` },
    value: packets,
  }));
  const modes = { enforce: p.policies - p.staged, stage: p.staged };
  const closed = new Map([
    ["unknown", 0],
    ["overflow", 0],
  ]);
  for (const { why } of p.closed) closed.set(why, (closed.get(why) ?? 0) + 1);
  return [
    single("policy_ready", "1: the kernel does what the cluster's policies say", p.isReady ? 1 : 0),
    family(
      "policies",
      "Policies of all dialects by their mode",
      ["mode"],
      byLabel("mode", new Map(Object.entries(modes))),
    ),
    single("policy_refused", "Objects of policy that could not be read", p.refused),
    single("policy_rules", "Rules that pods of this node are under", p.rules),
    single("policy_classes", "Different lists of rules", p.classes),
    single("policy_identities", "Sets of addresses that rules tell apart", p.identities),
    family(
      "policy_table_rows",
      "Rows of a table that policy needs",
      ["table"],
      byLabel("table", new Map(p.tables.map((t) => [t.table, t.rows]))),
    ),
    family(
      "policy_table_limit",
      "Rows beyond which pods are closed that need more",
      ["table"],
      byLabel("table", new Map(p.tables.map((t) => [t.table, t.limit]))),
    ),
    single("policy_changes_total", "Changes of policy that wrote something", p.changes),
    single("policy_last_change_seconds", "Time of the last one", p.lastChangeMs / 1000),
    family(
      "policy_closed_endpoints",
      "Attachments that nothing passes, by the reason",
      ["why"],
      byLabel("why", closed),
    ),
    single("policy_waiting_pods", "Pods whose start waits until the cluster shows them", p.waiting.length),
    family(
      "policy_verdicts_total",
      "Verdicts of rules: of new flows, flows judged again, and each denied packet",
      ["kind", "direction", "action", "staged"],
      verdicts,
    ),
  ];
}

function serviceFamilies({ services: s, sockets }: AgentStatus): Family[] {
  const { announce: a } = s;
  return [
    family(
      "service_sockets_total",
      "Sockets' questions and answers by what became of them, as the programs on sockets count them",
      ["what"],
      sockets.map(({ name, times }) => ({ labels: { what: name }, value: times })),
    ),
    family(
      "announced_addresses",
      "Addresses of load balancers that this node answers for (held) or stands by for",
      ["state"],
      byLabel("state", new Map(Object.entries({ held: a.held, standby: a.standby }))),
    ),
    family(
      "announce_changes_total",
      "Addresses that this node began to answer for, took over, gave back to another node, or was to announce no longer",
      ["what"],
      byLabel("what", new Map(Object.entries(a.changes))),
    ),
    family(
      "announce_frames_total",
      "Frames of ARP and neighbour discovery about announced addresses, by what they say; unsent ones were lost on this node",
      ["kind"],
      byLabel("kind", new Map(Object.entries(a.frames))),
    ),
    single("services_ready", "1: the kernel does what the cluster's services say", s.isReady ? 1 : 0),
    single("services", "Services of the cluster", s.services),
    single("service_frontends", "Addresses and ports at which they are asked for", s.frontends),
    single("service_backends", "Different backends that get new flows", s.backends),
    single("service_problems", "What of services is not done as they say", s.issueCount),
    single("service_changes_total", "Changes of services that were applied", s.changes),
    single("service_forgotten_total", "Entries of flows and affinities to backends that are gone", s.forgotten),
  ];
}

function eventFamilies({ events: e }: AgentStatus): Family[] {
  return [
    family("events_total", "Events taken from the ring", ["kind"], byLabel("kind", new Map(Object.entries(e.taken)))),
    single("events_unreadable_total", "Records of the ring that are no events", e.unreadable),
    single("event_followers", "Connections that follow events", e.followers),
    single("events_lost_to_followers_total", "Events that came faster than a follower read them", e.lostToFollowers),
  ];
}

/** All families of one scrape. */
function metricFamilies(sources: MetricSources): readonly Family[] {
  const status = sources.status();
  return [
    ...agentFamilies(status),
    ...reconcileFamilies(status, sources),
    ...podFamilies(status, sources),
    ...policyFamilies(status, sources),
    ...serviceFamilies(status),
    ...eventFamilies(status),
    ...dataPlaneFamilies(status, sources),
  ];
}

/** The text of a scrape in Prometheus' exposition format, and its content type. prom-client is loaded by the first one. */
export async function renderMetrics(
  sources: MetricSources,
): Promise<{ readonly text: string; readonly contentType: string }> {
  // Of a package in CommonJS only this is there in a checkout and in an image alike.
  const { Counter, Gauge, Registry } = (await import("prom-client")).default;
  const registry: Registry = new Registry();
  for (const { name, help, isCounter, labels, samples } of metricFamilies(sources)) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (isCounter) {
      const counter = new Counter(options);
      for (const s of samples) counter.inc(s.labels, s.value);
    } else {
      const gauge = new Gauge(options);
      for (const s of samples) gauge.set(s.labels, s.value);
    }
  }
  const text = (await registry.metrics()) + sources.calls.exposition() + sources.serviceLatency.exposition();
  return { text, contentType: registry.contentType };
}
