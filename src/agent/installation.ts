/** Keeps the plugin and its configuration where the runtime looks for them, for as long as pods can be attached. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Issue } from "../base/issue.ts";
import { homeFile } from "../kernel/linux/home.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { CONFLIST_FILE, type Installed, type InstallOptions, installCni } from "./cni/install.ts";
import type { AgentConfig } from "./config/config.ts";
import type { Log } from "./log.ts";
import { messageOf } from "./reconcile/failures.ts";

/** After a failed installation. */
const RETRY_MS = 5_000;
/** Everything is installed anew this often: a plugin to chain may have come, or somebody changed a file. */
const RENEW_MS = 600_000;

/** What keeping needs. */
export interface InstallationParts {
  readonly config: Pick<AgentConfig, "paths" | "cni">;
  readonly log: Log;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  readonly ledger: Pick<Ledger, "endpoints">;
  /** Default: the real one. */
  readonly install?: (options: InstallOptions) => Promise<Installed>;
}

/** The built exec shim. */
function shimFile(): string {
  return process.env["TWILL_SHIM"] ?? homeFile("build/twill-cni");
}

/** One for the life of an agent. */
export class Installation {
  readonly #parts: InstallationParts;
  readonly #options: InstallOptions;
  #isRunning = false;
  #dueMs = 0;
  #failure: string | undefined;
  #shadowedBy: readonly string[] = [];

  constructor(parts: InstallationParts) {
    this.#parts = parts;
    const { config, ledger } = parts;
    const { paths, cni } = config;
    this.#options = {
      shim: shimFile(),
      binDirectory: paths.cniBinDir,
      confDirectory: paths.cniConfDir,
      runDirectory: paths.run,
      networkName: cni.networkName,
      hasPodsOf: (beforeMs) => ledger.endpoints().some((e) => e.createdAtMs <= beforeMs || e.hostPorts.length > 0),
    };
  }

  /** Installs what is missing or due. Cheap when nothing is; to be called after each run of an agent that is ready. */
  keep(): void {
    const { config, nowMs } = this.#parts;
    if (!config.cni.isInstalled || this.#isRunning) return;
    const isDue = nowMs() >= this.#dueMs;
    if (!isDue && (this.#failure !== undefined || this.#isComplete())) return;
    this.#isRunning = true;
    void this.#install().finally(() => {
      this.#isRunning = false;
    });
  }

  /** Why runtimes may not use this network. */
  issues(): readonly Issue[] {
    const issues: Issue[] = [];
    if (this.#failure !== undefined)
      issues.push({ path: "cni", message: `The network is not installed: ${this.#failure}` });
    if (this.#shadowedBy.length > 0) {
      const names = this.#shadowedBy.map((f) => `"${f}"`).join(", ");
      const message = `The runtime uses ${names} of "${this.#options.confDirectory}" instead: the first name counts, so remove what is not to be used`;
      issues.push({ path: "cni", message });
    }
    return issues;
  }

  #isComplete(): boolean {
    const { binDirectory, confDirectory } = this.#options;
    return [join(binDirectory, "twill"), join(confDirectory, CONFLIST_FILE)].every((path) => existsSync(path));
  }

  async #install(): Promise<void> {
    const { log, nowMs, install = installCni } = this.#parts;
    try {
      const done = await install(this.#options);
      if (done.written.length > 0)
        log.info({ path: done.conflist, chained: done.chained, files: done.written.length }, "installed the network");
      if (done.shadowedBy.length > 0 && this.#shadowedBy.length === 0)
        log.warn({ path: done.conflist, files: done.shadowedBy }, "other networks come first");
      this.#shadowedBy = done.shadowedBy;
      this.#failure = undefined;
      this.#dueMs = nowMs() + RENEW_MS;
    } catch (cause) {
      this.#failure = messageOf(cause);
      this.#dueMs = nowMs() + RETRY_MS;
      log.error({ failure: this.#failure }, "cannot install the network");
    }
  }
}
