/** Starts what one agent of the cluster does for all. */

import { findConnectionConfig } from "../../cluster/kube/find-config.ts";
import { createKubeLeaderApi } from "../../cluster/kube/kube-leader-api.ts";
import { createKubeLoadBalancerApi } from "../../cluster/kube/kube-load-balancer-api.ts";
import { createKubeStatusApi } from "../../cluster/kube/kube-status-api.ts";
import type { AgentConfig } from "../config/config.ts";
import { pause } from "../pause.ts";
import { LoadBalancerDuty, type LoadBalancerDutyParts } from "./load-balancer.ts";
import { CidrDuty, type CidrDutyParts } from "./node-cidrs.ts";
import { StatusDuty, type StatusDutyParts } from "./policy-status.ts";

/** Namespace and names of the Leases. */
const LEASES = "kube-system";
const CIDRS = { namespace: LEASES, name: "twill-node-cidrs" } as const;
const ADDRESSES = { namespace: LEASES, name: "twill-load-balancer" } as const;
const STATUS = { namespace: LEASES, name: "twill-policy-status" } as const;

/** Gives CIDRs to nodes until the signal falls. @throws ClusterError when it is not said how to reach the API */
export async function startNodeCidrs(
  config: AgentConfig,
  userAgent: string,
  parts: Pick<CidrDutyParts, "log" | "pools" | "isNeeded">,
  signal: AbortSignal,
): Promise<void> {
  const connection = await findConnectionConfig(config, process.env);
  using api = createKubeLeaderApi({ config: connection, userAgent, ...CIDRS });
  const nowMs = () => performance.now();
  await new CidrDuty({ ...parts, api, self: config.nodeName, nowMs, pause, random: Math.random }).run(signal);
}

/** Writes what became of objects onto them until the signal falls. @throws ClusterError when it is not said how to reach the API */
export async function startStatus(
  config: AgentConfig,
  userAgent: string,
  parts: Pick<StatusDutyParts, "log" | "reports" | "wanted">,
  signal: AbortSignal,
): Promise<void> {
  const connection = await findConnectionConfig(config, process.env);
  using leader = createKubeLeaderApi({ config: connection, userAgent, ...STATUS });
  using api = createKubeStatusApi({ config: connection, userAgent });
  const nowMs = () => performance.now();
  await new StatusDuty({ ...parts, leader, api, self: config.nodeName, nowMs, pause, random: Math.random }).run(signal);
}

/** Gives addresses to services until the signal falls. @throws ClusterError when it is not said how to reach the API */
export async function startLoadBalancer(
  config: AgentConfig,
  userAgent: string,
  parts: Pick<LoadBalancerDutyParts, "log" | "objects">,
  signal: AbortSignal,
): Promise<void> {
  const connection = await findConnectionConfig(config, process.env);
  using leader = createKubeLeaderApi({ config: connection, userAgent, ...ADDRESSES });
  using api = createKubeLoadBalancerApi({ config: connection, userAgent });
  const nowMs = () => performance.now();
  await new LoadBalancerDuty({ ...parts, leader, api, self: config.nodeName, nowMs, pause, random: Math.random }).run(
    signal,
  );
}
