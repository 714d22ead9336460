/** `twill cleanup kube-proxy`: takes away what kube-proxy left in this node's firewall, and nothing else. */

import type { Command } from "commander";
import { type Io, printJson, UsageError } from "../io.ts";
import { withJson } from "../options.ts";

interface ProxyOptions {
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

async function cleanupKubeProxy(io: Io, options: ProxyOptions): Promise<void> {
  const { findLeftovers, runningProxies } = await import("../../agent/kube-proxy/leftovers.ts");
  const running = options.dryRun || options.force ? [] : runningProxies();
  if (running.length > 0)
    throw new UsageError(
      `kube-proxy is running (pid ${running.join(", ")}) and would put everything back: stop it first, as by kubectl -n kube-system delete daemonset kube-proxy, or use --force`,
    );
  const { steps, kept } = await findLeftovers();
  const failures: string[] = [];
  for (const step of options.dryRun ? [] : steps)
    await step.run().catch((error: unknown) => failures.push(`${step.what}: ${(error as Error).message}`));
  if (failures.length > 0) io.setExitCode(1);
  const what = steps.map((s) => s.what);
  if (options.json) return printJson(io, { [options.dryRun ? "wouldRemove" : "removed"]: what, kept, failures });
  if (what.length === 0) io.out("Nothing of kube-proxy's is on this node.\n");
  for (const text of what) io.out(`${text}\n`);
  for (const text of kept) io.out(`${io.palette.warn("stays")} ${text}\n`);
  for (const failure of failures) io.err(`${io.palette.bad("✗")} ${failure}\n`);
}

/** Adds the command below `cleanup`. */
export function addCleanupKubeProxy(cleanup: Command, io: Io): void {
  withJson(cleanup.command("kube-proxy"))
    .description("remove what kube-proxy left in this node's firewall, and nothing else")
    .option("--dry-run", "only say what would be removed")
    .option("--force", "also while kube-proxy runs")
    // Options that the command above has as well are read there.
    .action((_options: ProxyOptions, command: Command) => cleanupKubeProxy(io, command.optsWithGlobals()));
}
