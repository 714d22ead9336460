/** Opens the source of cluster objects that the configuration names. */

import { VERSION } from "../base/version.ts";
import type { ClusterSource } from "../cluster/source.ts";
import type { AgentConfig } from "./config/config.ts";
import type { Log } from "./log.ts";
import { messageOf } from "./reconcile/failures.ts";

/** Makes the source; it connects when it is run. @throws ClusterError when the configuration leads to none */
export async function openSource(config: AgentConfig, log: Log): Promise<ClusterSource> {
  const onFailure = (error: unknown, kind: string) =>
    log.warn({ kind, failure: messageOf(error) }, "cannot follow the cluster");
  if (config.cluster.kind === "dir") {
    throw new Error(`Cannot follow the directory "${config.cluster.path}": this build has no such source`);
  }
  const { createKubeSource } = await import("../cluster/kube/kube-source.ts");
  const { findConnectionConfig } = await import("../cluster/kube/find-config.ts");
  const connection = await findConnectionConfig(config.kubeconfig, process.env);
  return createKubeSource({ config: connection, userAgent: `twill/${VERSION}`, onFailure });
}
