/** Puts the status together from the agent's parts. */

import type { Issue } from "../../base/issue.ts";
import { titleOf } from "../../cluster/tables.ts";
import { addrEqual } from "../../net/addr.ts";
import { tunnelAddr } from "../../routing/node-net.ts";
import type { EventCounts } from "../events/event-watch.ts";
import type { SweepCount } from "../gc/sweeper.ts";
import type { AgentParts, NodeAgent } from "../node-agent.ts";
import { type PolicyReport, policyReport } from "../policy/policy-report.ts";
import { type PolicySources, policyStatus } from "../policy/policy-status.ts";
import { type ServiceFacts, serviceStatus } from "../service/service-status.ts";
import { readMaps, readPackets, readSockets } from "./kernel-status.ts";
import { countEndpoints, poolStatus } from "./ledger-status.ts";
import type { AgentStatus, ClusterStatus, NodeStatus, UnderlayStatus } from "./status.ts";

/** What the process around the agent adds. */
export interface ProcessFacts extends ServiceFacts {
  readonly version: string;
  readonly startedAtMs: number;
  readonly pid: number;
  readonly sweep: readonly SweepCount[];
  /** Of what stands around the agent. */
  readonly issues: readonly Issue[];
  readonly events: EventCounts;
  /** Pods whose start waits. */
  readonly waiting: Iterable<string>;
}

function clusterStatus({ source }: AgentParts): ClusterStatus {
  const h = source.health();
  return {
    source: source.description,
    isSynced: h.isSynced,
    forbidden: h.tables.flatMap((t) => (t.state === "forbidden" ? [`${titleOf(t.table)}: ${t.reason}`] : [])),
    absent: h.tables.flatMap((t) => (t.state === "absent" ? [titleOf(t.table)] : [])),
    isLive: h.isLive,
    lagMs: h.lagMs,
    lastError: h.lastError?.message,
    problems: h.problems.map(
      (p) => `${p.subject}: ${p.issues.map((i) => (i.path === "" ? i.message : `${i.path}: ${i.message}`)).join("; ")}`,
    ),
  };
}

function underlayStatus(agent: NodeAgent): UnderlayStatus | undefined {
  const u = agent.plan?.underlay;
  if (u === undefined) return undefined;
  return {
    devices: u.devices.map(({ name, mtuBytes }) => ({ name, mtuBytes })),
    family: u.family,
    podMtuBytes: u.podMtuBytes,
    masqueradeV4: u.sourceV4?.text,
    masqueradeV6: u.sourceV6?.text,
  };
}

/** All nodes, this one first. */
function nodeStatuses(agent: NodeAgent, self: string): NodeStatus[] {
  const ids = agent.nodeIds();
  const family = agent.plan?.underlay.family ?? 4;
  const all = agent.nodes.map((n): NodeStatus => {
    const isSelf = n.name === self;
    const tunnel = isSelf ? undefined : tunnelAddr(n, family);
    const known = n.internalIps.find((a) => tunnel !== undefined && addrEqual(a, tunnel));
    return {
      name: n.name,
      isSelf,
      internalIps: n.internalIps.map((a) => a.text),
      podCidrs: n.podCidrs.map((p) => p.text),
      tunnel: tunnel?.text,
      nodeId: known === undefined ? undefined : ids.get(known.text),
    };
  });
  return all.sort((a, b) => Number(b.isSelf) - Number(a.isSelf) || (a.name < b.name ? -1 : 1));
}

function policySources(agent: NodeAgent, { source, ledger }: AgentParts, facts: ProcessFacts): PolicySources {
  const { state, problem } = agent.policy;
  const { waiting } = facts;
  const { problems } = source.health();
  return { state, problem, source: source.description, endpoints: ledger.endpoints(), problems, waiting };
}

/** Every policy with its rules and what they decided. Reads maps, as {@link collectStatus}. */
export function collectPolicy(agent: NodeAgent, parts: AgentParts, facts: ProcessFacts): PolicyReport {
  return policyReport({
    ...policySources(agent, parts, facts),
    hits: agent.policy.hits?.read() ?? new Map(),
    maps: agent.programs === undefined ? [] : readMaps(parts.kernel, [...facts.sweep, ...agent.services.counts()]),
  });
}

/** The whole status. Reads maps: not for a hot path. */
export function collectStatus(agent: NodeAgent, parts: AgentParts, facts: ProcessFacts): AgentStatus {
  const { kernel, ledger, config } = parts;
  const notReady = agent.notReady();
  const hasMaps = agent.programs !== undefined;
  return {
    version: facts.version,
    node: config.nodeName,
    pid: facts.pid,
    startedAtMs: facts.startedAtMs,
    isReady: notReady.length === 0,
    notReady,
    issues: [...facts.issues, ...agent.issues()],
    programs: agent.programs,
    cluster: clusterStatus(parts),
    underlay: underlayStatus(agent),
    reconcile: {
      runs: agent.counts.runs,
      lastRunMs: agent.counts.lastRunMs,
      lastDurationMs: agent.counts.lastDurationMs,
      failing: agent.report?.failing ?? 0,
      drifted: agent.counts.drifted,
      tables: agent.report?.tables ?? [],
    },
    pools: poolStatus(ledger, agent.pools()),
    nodes: nodeStatuses(agent, config.nodeName),
    endpoints: countEndpoints(ledger.endpoints()),
    policy: policyStatus(policySources(agent, parts, facts)),
    services: serviceStatus(agent.services, facts),
    events: { ...facts.events, taken: Object.fromEntries(facts.events.taken) },
    maps: hasMaps ? readMaps(kernel, [...facts.sweep, ...agent.services.counts()]) : [],
    packets: hasMaps ? readPackets(kernel) : [],
    sockets: hasMaps ? readSockets(kernel) : [],
  };
}
