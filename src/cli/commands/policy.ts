/** `twill policy …`: asks policy, without changing anything. */

import type { Command } from "commander";
import type { Io } from "../io.ts";
import { withJson } from "../options.ts";
import type { ExplainOptions } from "../policy/explain.ts";
import { withWorldOptions } from "../policy/sources.ts";
import type { ValidateOptions } from "../policy/validate.ts";

/** Adds the commands. */
export function addPolicy(program: Command, io: Io): void {
  const policy = program.command("policy").description("what policies say, and why");
  withJson(withWorldOptions(policy.command("explain").description("why a flow is allowed or denied")))
    .option("--from <end>", "namespace/pod, an address, or a node")
    .option("--to <end>", "namespace/pod, an address, or a node")
    .option("--port <traffic>", "80/TCP, 53/UDP, http/TCP, ICMP, ICMP/3/4, IP/47")
    .option("--all", "also print each rule that is not about the flow")
    .action(async (options: ExplainOptions) => {
      const { explainCommand } = await import("../policy/explain.ts");
      await explainCommand(io, options);
    });
  withJson(policy.command("validate <paths...>"))
    .description("whether the objects in files would be taken; - is standard input")
    .action(async (paths: string[], options: ValidateOptions) => {
      const { validateCommand } = await import("../policy/validate.ts");
      await validateCommand(io, paths, options);
    });
}
