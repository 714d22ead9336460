/**
 * What happens around readiness: settings are left for the time without an agent, and the runtime is told of the network
 * (binaries, then the configuration, last of all) the first time that pods can be attached.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CONFLIST_FILE, installCni } from "./cni/install.ts";
import { writeOfflineFiles } from "./cni/offline-files.ts";
import type { AgentConfig } from "./config/config.ts";
import type { AgentParts, NodeAgent } from "./node-agent.ts";
import { messageOf } from "./reconcile/failures.ts";

/** After a failed installation. */
const RETRY_MS = 5_000;

/** The built exec shim. */
function shimFile(): string {
  return process.env["TWILL_SHIM"] ?? fileURLToPath(new URL("../../build/twill-cni", import.meta.url));
}

function leaveOfflineFiles({ config, log }: AgentParts, agent: NodeAgent): void {
  try {
    const { paths, ipam } = config;
    const place = { runDirectory: paths.run, pinDirectory: paths.pins, coolDownMs: ipam.coolDownMs };
    writeOfflineFiles({ ...agent.settings(), ...place });
  } catch (cause) {
    log.error({ failure: messageOf(cause) }, "cannot leave what the plugin needs without an agent");
  }
}

async function install(config: AgentConfig, log: AgentParts["log"]): Promise<void> {
  const { paths, cni } = config;
  const done = await installCni({
    shim: shimFile(),
    binDirectory: paths.cniBinDir,
    confDirectory: paths.cniConfDir,
    runDirectory: paths.run,
    networkName: cni.networkName,
  });
  log.info({ path: done.conflist, chained: done.chained, files: done.written.length }, "installed the network");
  if (done.shadowedBy.length > 0)
    log.warn({ path: join(paths.cniConfDir, CONFLIST_FILE), files: done.shadowedBy }, "other networks come first");
}

/**
 * @param onReady called once, the first time that pods can be attached
 * @returns to be called after each run of the agent
 */
export function createWhenReady(parts: AgentParts, agent: NodeAgent, onReady: () => void): () => void {
  const { config, log, nowMs } = parts;
  let wasReady: boolean | undefined;
  let hasAnnounced = false;
  let installation: "wanted" | "running" | "done" = config.cni.isInstalled ? "wanted" : "done";
  let installAtMs = 0;

  function tryInstall(): void {
    if (installation !== "wanted" || nowMs() < installAtMs) return;
    installation = "running";
    install(config, log).then(
      () => {
        installation = "done";
      },
      (cause: unknown) => {
        installation = "wanted";
        installAtMs = nowMs() + RETRY_MS;
        log.error({ failure: messageOf(cause) }, "cannot install the network");
      },
    );
  }

  return () => {
    const reasons = agent.notReady();
    const isReady = reasons.length === 0;
    if (isReady !== wasReady) {
      if (isReady) log.info({}, "ready");
      else log.warn({ reasons }, "not ready");
    }
    wasReady = isReady;
    if (!isReady) return;
    leaveOfflineFiles(parts, agent);
    tryInstall();
    if (hasAnnounced) return;
    hasAnnounced = true;
    onReady();
  };
}
