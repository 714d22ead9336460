/** What the agent's HTTP servers answer. */

import type { Reply, Routes } from "./http.ts";
import { type MetricSources, renderMetrics } from "./metrics.ts";
import type { AgentStatus, EndpointStatus } from "./status/status.ts";

/** What the answers are made from. */
export interface RouteSources {
  readonly version: string;
  status(): AgentStatus;
  endpoints(): readonly EndpointStatus[];
  notReady(): readonly string[];
  /** Why the agent itself is not well: then it should be restarted. Empty: it is well. */
  unhealthy(): readonly string[];
  /** Looks at everything now. */
  resync(): AgentStatus;
  readonly metrics: MetricSources;
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
    "POST /v1/resync": () => ok(s.resync()),
  };
}
