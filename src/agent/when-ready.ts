/** What happens around readiness: it is told, settings are left for the time without an agent, the network is installed. */

import { writeOfflineFiles } from "./cni/offline-files.ts";
import type { Installation } from "./installation.ts";
import type { AgentParts, NodeAgent } from "./node-agent.ts";
import { messageOf } from "./reconcile/failures.ts";

function leaveOfflineFiles({ config, log }: AgentParts, agent: NodeAgent): void {
  try {
    const { paths, ipam } = config;
    const place = { runDirectory: paths.run, pinDirectory: paths.pins, coolDownMs: ipam.coolDownMs };
    writeOfflineFiles({ ...agent.settings(), ...place, openClasses: agent.policy.openClasses() });
  } catch (cause) {
    log.error({ failure: messageOf(cause) }, "cannot leave what the plugin needs without an agent");
  }
}

/**
 * @param onReady called once, the first time that pods can be attached
 * @returns to be called after each run of the agent
 */
export function createWhenReady(
  parts: AgentParts,
  agent: NodeAgent,
  installation: Pick<Installation, "keep">,
  onReady: () => void,
): () => void {
  const { log } = parts;
  let wasReady: boolean | undefined;
  let hasAnnounced = false;
  return () => {
    const reasons = agent.notReady();
    const isReady = reasons.length === 0;
    if (isReady !== wasReady) {
      if (isReady) log.info({}, "ready");
      else log.warn({ reasons }, "not ready");
    }
    wasReady = isReady;
    if (!isReady) return;
    // The configuration last: who finds it finds everything else in place.
    leaveOfflineFiles(parts, agent);
    agent.dropPredecessor();
    installation.keep();
    if (hasAnnounced) return;
    hasAnnounced = true;
    onReady();
  };
}
