/** `twill agent`: runs the agent of this node in the foreground. */

import type { Command } from "commander";
import type { Io } from "../io.ts";
import { configSource, type NodeOptions, withNodeOptions } from "../options.ts";

interface AgentOptions extends NodeOptions {
  readonly node?: string;
  readonly cluster?: string;
  readonly kubeconfig?: string;
  readonly logLevel?: string;
  readonly metricsListen?: string;
  readonly healthListen?: string;
}

/** A signal that falls with the first SIGTERM or SIGINT; a second one ends the process at once. */
function untilTerminated(): AbortSignal {
  const controller = new AbortController();
  const end = () => {
    if (controller.signal.aborted) process.exit(1);
    controller.abort();
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  return controller.signal;
}

/** Adds the command. */
export function addAgent(program: Command, io: Io): void {
  withNodeOptions(program.command("agent").description("run the agent of this node"))
    .option("--node <name>", "name of this node's Node object")
    .option("--cluster <source>", "where objects come from: kube or dir:PATH")
    .option("--kubeconfig <file>", "kubeconfig of the cluster")
    .option("--log-level <level>", "least important level that is logged")
    .option("--metrics-listen <address>", "HOST:PORT for Prometheus, or off")
    .option("--health-listen <address>", "HOST:PORT for /healthz and /readyz, or off")
    .action(async (options: AgentOptions) => {
      const flags = {
        nodeName: options.node,
        cluster: options.cluster,
        kubeconfig: options.kubeconfig,
        "log.level": options.logLevel,
        "metrics.listen": options.metricsListen,
        "health.listen": options.healthListen,
      };
      const { learnConfig } = await import("../../agent/config/learn-config.ts");
      const { runAgent } = await import("../../agent/agent.ts");
      // What is loaded later, too: nothing may call for the remover of types afterwards.
      await import("../../agent/leader/start.ts");
      await import("../../agent/leader/wanted-status.ts");
      const { beginWarm } = await import("../warm-start.ts");
      beginWarm();
      const { live, learned } = await learnConfig(configSource(io, options, flags), io.env);
      await runAgent(live, untilTerminated(), learned);
    });
}
