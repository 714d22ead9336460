/** Starts what one agent of the cluster does for all. */

import { findConnectionConfig } from "../../cluster/kube/find-config.ts";
import { createKubeLeaderApi } from "../../cluster/kube/kube-leader-api.ts";
import type { AgentConfig } from "../config/config.ts";
import type { Log } from "../log.ts";
import { pause } from "../pause.ts";
import { CidrDuty } from "./node-cidrs.ts";

/** Namespace and name of the Lease. */
const LEASE = { namespace: "kube-system", name: "twill-node-cidrs" } as const;

/** Gives CIDRs to nodes until the signal falls. @throws ClusterError when it is not said how to reach the API */
export async function startNodeCidrs(
  config: AgentConfig,
  userAgent: string,
  log: Log,
  isNeeded: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const connection = await findConnectionConfig(config.kubeconfig, process.env);
  using api = createKubeLeaderApi({ config: connection, userAgent, ...LEASE });
  const { nodeName: self, clusterPools: pools } = config;
  const nowMs = () => performance.now();
  await new CidrDuty({ api, self, pools, log, isNeeded, nowMs, pause, random: Math.random }).run(signal);
}
