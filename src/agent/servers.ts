/**
 * The agent's servers, control, metrics and health, and what they tell: everything is asked of the agent's parts when
 * somebody calls.
 */

import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Issue } from "../base/issue.ts";
import { VERSION } from "../base/version.ts";
import type { AnnounceControl } from "./announce/announce-control.ts";
import type { CallStats } from "./call-stats.ts";
import type { CniDoor } from "./cni/door.ts";
import { sliceEnd } from "./compare/slices.ts";
import { RUN_FILES } from "./config/default-paths.ts";
import type { Learned } from "./config/learn.ts";
import type { LiveConfig } from "./config/live-config.ts";
import type { EventWatch } from "./events/event-watch.ts";
import type { Sweeper } from "./gc/sweeper.ts";
import { type HttpServer, listenTcp, listenUnix } from "./http.ts";
import type { Installation } from "./installation.ts";
import { KubeProxyWatch } from "./kube-proxy/watch.ts";
import type { AgentParts, NodeAgent } from "./node-agent.ts";
import type { NodeObject } from "./node-object.ts";
import type { PendingPods } from "./policy/pod-is-known.ts";
import { messageOf } from "./reconcile/failures.ts";
import { controlRoutes, healthRoutes, metricsRoutes, type RouteSources } from "./routes.ts";
import { serviceReports } from "./service/service-report.ts";
import { collectPolicy, collectStatus, type ProcessFacts } from "./status/collect.ts";
import { endpointStatus } from "./status/ledger-status.ts";

/** A run whose last look at the kernel is older than so many resync periods is not well. */
const STALE_RESYNCS = 4;

/** What is told of. */
export interface Served {
  readonly live: LiveConfig;
  readonly parts: AgentParts;
  readonly agent: NodeAgent;
  readonly sweeper: Sweeper;
  readonly calls: CallStats;
  readonly installation: Installation;
  readonly object: NodeObject;
  readonly events: EventWatch;
  readonly waiting: PendingPods;
  readonly announce: AnnounceControl;
  /** What follows every run. */
  readonly afterRun: () => void;
  readonly startedAtMs: number;
  readonly learned: Learned | undefined;
}

/** What the cluster's own words about its network ask for and Twill does otherwise. */
function differences(learned: Learned | undefined): Issue[] {
  return (learned?.differences ?? []).map((message) => ({ path: learned?.from ?? "", message }));
}

/** What of the cluster's objects of configuration is not in effect. */
function configIssues({ issues, waits }: LiveConfig): Issue[] {
  return [
    ...issues,
    ...waits.map((path) => ({ path, message: "The cluster's configuration sets another value: restart this agent" })),
  ];
}

/** What an operator waits for, beside everything else. */
async function compareAll(agent: NodeAgent): Promise<void> {
  while (!agent.compare(sliceEnd())) await setImmediate();
}

function routeSources(s: Served, cni: CniDoor, kubeProxy: KubeProxyWatch): RouteSources {
  const { agent, parts, sweeper, startedAtMs } = s;
  const facts = (): ProcessFacts => ({
    version: VERSION,
    startedAtMs,
    pid: process.pid,
    sweep: sweeper.counts(),
    issues: [...differences(s.learned), ...configIssues(s.live), ...s.object.issues(), ...s.installation.issues()],
    events: s.events.counts(),
    waiting: s.waiting.names(),
    kubeProxy: kubeProxy.found,
    announce: s.announce.counts(),
    announceProblem: s.announce.problem,
  });
  const status = () => collectStatus(agent, parts, facts());
  return {
    version: VERSION,
    status,
    policy: () => collectPolicy(agent, parts, facts()),
    services: (only) => [
      ...serviceReports(agent.services.engine, (a) => s.announce.stateOf(a), only),
      ...agent.hostPorts.reports().filter((r) => only === undefined || only === `${r.namespace}/${r.name}`),
    ],
    endpoints: () => parts.ledger.endpoints().map(endpointStatus),
    notReady: () => agent.notReady(),
    unhealthy: () => {
      const sinceMs = parts.nowMs() - (agent.counts.lastRunMs ?? startedAtMs);
      const isStale = sinceMs > STALE_RESYNCS * parts.config.resyncMs;
      return isStale ? [`The kernel was last looked at ${Math.round(sinceMs / 1000)} s ago`] : [];
    },
    resync: async () => {
      agent.run(true);
      await compareAll(agent);
      s.afterRun();
      return status();
    },
    events: s.events,
    metrics: {
      status,
      writes: agent.counts.writes,
      failures: agent.counts.failures,
      repairs: agent.counts.repairs,
      expired: () => new Map(sweeper.counts().map((c) => [c.map, c.expired])),
      earlyReuses: () => parts.ledger.earlyReuses(),
      calls: s.calls,
      serviceLatency: agent.services.latency,
      policyHits: () => agent.policy.hits?.totals() ?? [],
      refusedCalls: () => {
        const { refused, malformed, abandoned } = cni.counters();
        return new Map(Object.entries({ refused, malformed, abandoned }));
      },
    },
  };
}

/** Opens them; they end with the stack. @throws Error when an address is taken */
export async function openServers(stack: AsyncDisposableStack, s: Served, cni: CniDoor): Promise<void> {
  const { parts } = s;
  const { config } = parts;
  const sources = routeSources(s, cni, stack.use(new KubeProxyWatch()));
  const open = async (what: string, server: Promise<HttpServer>) => {
    const http = stack.use(
      await server.catch((cause: unknown) => {
        const hint = what === "control" ? "" : `: "${what}.listen" of the configuration says where`;
        throw new Error(`Cannot serve ${what}: ${messageOf(cause)}${hint}`, { cause });
      }),
    );
    parts.log.info({ server: what, port: http.port }, "listening");
  };
  await open("control", listenUnix(join(config.paths.run, RUN_FILES.control), controlRoutes(sources)));
  if (config.metricsListen !== undefined)
    await open("metrics", listenTcp(config.metricsListen, metricsRoutes(sources)));
  if (config.healthListen !== undefined) await open("health", listenTcp(config.healthListen, healthRoutes(sources)));
}
