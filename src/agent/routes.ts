/** What the agent's HTTP servers answer. */

import { formatIssues } from "../base/issue.ts";
import { parseEventQuery } from "../flow/query.ts";
import { type EventWatch, MAX_FOLLOWERS } from "./events/event-watch.ts";
import type { Reply, Routes } from "./http.ts";
import { type MetricSources, renderMetrics } from "./metrics.ts";
import type { PolicyReport } from "./policy/policy-report.ts";
import type { ServiceReport } from "./service/service-report.ts";
import type { AgentStatus, EndpointStatus } from "./status/status.ts";

/** What the answers are made from. */
export interface RouteSources {
  readonly version: string;
  status(): AgentStatus;
  /** Every policy, with its rules and what they decided. */
  policy(): PolicyReport;
  /** All services, or the one `namespace/name`. */
  services(only: string | undefined): readonly ServiceReport[];
  endpoints(): readonly EndpointStatus[];
  notReady(): readonly string[];
  /** Why the agent itself is not well: then it should be restarted. Empty: it is well. */
  unhealthy(): readonly string[];
  /** Looks at everything now. */
  resync(): Promise<AgentStatus>;
  readonly metrics: MetricSources;
  readonly events: Pick<EventWatch, "past" | "follow" | "hasRoom">;
}

function verdict(reasons: readonly string[]): Reply {
  return reasons.length === 0
    ? { status: 200, body: "ok\n" }
    : { status: 503, body: reasons.map((r) => `${r}\n`).join("") };
}

/** `/healthz`: the process is well. `/readyz`: pods can be attached. */
export function healthRoutes(s: RouteSources): Routes {
  return {
    "GET /healthz": () => verdict(s.unhealthy()),
    "GET /readyz": () => verdict(s.notReady()),
  };
}

/** `/metrics`. */
export function metricsRoutes(s: RouteSources): Routes {
  return {
    "GET /metrics": async () => {
      const { text, contentType } = await renderMetrics(s.metrics);
      return { status: 200, body: text, contentType };
    },
  };
}

/** Events of the past and, where they are asked for, those that come: JSON, one to a line. */
function events(watch: RouteSources["events"], parameters: URLSearchParams): Reply {
  const query = parseEventQuery(parameters);
  if (!query.ok) return { status: 400, body: `${formatIssues(query.error)}\n` };
  const contentType = "application/x-ndjson";
  if (!query.value.follows) return { status: 200, body: watch.past(query.value), contentType };
  if (!watch.hasRoom) return { status: 503, body: `${MAX_FOLLOWERS} follow already: end one of them\n` };
  return { status: 200, body: "", contentType, stream: (sink) => watch.follow(query.value, sink) };
}

/** Everything, for the socket that only root may use. */
export function controlRoutes(s: RouteSources): Routes {
  const ok = (body: unknown): Reply => ({ status: 200, body });
  return {
    ...healthRoutes(s),
    ...metricsRoutes(s),
    "GET /v1/version": () => ok({ version: s.version }),
    "GET /v1/status": () => ok(s.status()),
    "GET /v1/nodes": () => ok(s.status().nodes),
    "GET /v1/endpoints": () => ok(s.endpoints()),
    "GET /v1/policy": () => ok(s.policy()),
    "GET /v1/services": (query) => ok(s.services(query.get("name") ?? undefined)),
    "GET /v1/events": (query) => events(s.events, query),
    "POST /v1/resync": async () => ok(await s.resync()),
  };
}
