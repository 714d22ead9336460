/** `twill cleanup`: removes everything that Twill made on this node. */

import type { Command } from "commander";
import type { AgentPaths } from "../../agent/config/config.ts";
import { AgentAwayError, ask } from "../client.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { controlSocket, hasLedger, type NodeOptions, nodePaths, withJson, withNodeOptions } from "../options.ts";
import { addCleanupKubeProxy } from "./cleanup-kube-proxy.ts";

interface CleanupOptions extends NodeOptions {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

async function isAgentRunning(paths: AgentPaths): Promise<boolean> {
  try {
    await ask(controlSocket(paths), "/v1/version");
    return true;
  } catch (error) {
    if (error instanceof AgentAwayError && error.code !== "ETIMEDOUT") return false;
    return true;
  }
}

async function attachedPods(paths: AgentPaths): Promise<number> {
  if (!hasLedger(paths)) return 0;
  const { openNodeLedger } = await import("../../agent/open-node.ts");
  using ledger = openNodeLedger(paths.run, 0);
  return ledger.endpoints().length;
}

/** @throws UsageError when something still uses the network */
async function refuseWhileUsed(paths: AgentPaths): Promise<void> {
  if (await isAgentRunning(paths))
    throw new UsageError("The agent is running and would put everything back: stop it first, or use --force");
  const pods = await attachedPods(paths).catch(() => 0);
  if (pods > 0)
    throw new UsageError(
      `${pods === 1 ? "1 pod is" : `${pods} pods are`} attached and would lose their network: delete them first, or use --force`,
    );
}

async function cleanup(io: Io, options: CleanupOptions): Promise<void> {
  const paths = await nodePaths(io, options);
  if (!options.force && !options.dryRun) await refuseWhileUsed(paths);
  const { openNodeKernel } = await import("../../agent/open-node.ts");
  const { planCleanup, runCleanup } = await import("../../agent/cleanup.ts");
  using kernel = openNodeKernel(paths.pins);
  const steps = planCleanup(kernel, paths);
  const failures = options.dryRun ? [] : runCleanup(steps);
  if (failures.length > 0) io.setExitCode(1);
  const removed = steps.map((s) => s.what);
  if (options.json) return printJson(io, { [options.dryRun ? "wouldRemove" : "removed"]: removed, failures });
  if (removed.length === 0) io.out("Nothing of Twill's is on this node.\n");
  for (const what of removed) io.out(`${what}\n`);
  for (const failure of failures) io.err(`${io.palette.bad("✗")} ${failure}\n`);
}

/** Adds the command. */
export function addCleanup(program: Command, io: Io): void {
  const command = program.command("cleanup").alias("uninstall");
  addCleanupKubeProxy(command, io);
  withJson(withNodeOptions(command))
    .description("remove everything that Twill made on this node")
    .option("--dry-run", "only say what would be removed")
    .option("--force", "also while an agent runs or pods are attached")
    .action((options: CleanupOptions) => cleanup(io, options));
}
