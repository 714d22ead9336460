/** `twill policy …`: asks policy, without changing anything. */

import type { Command } from "commander";
import { type Io, UsageError } from "../io.ts";
import { withJson, withNodeOptions } from "../options.ts";
import type { ExplainOptions } from "../policy/explain.ts";
import type { HitsOptions } from "../policy/hits.ts";
import type { MatrixOptions } from "../policy/matrix.ts";
import { collect, type WorldOptions, withWorldOptions } from "../policy/sources.ts";
import type { TestOptions } from "../policy/test.ts";
import type { ValidateOptions } from "../policy/validate.ts";

/** Directories may be given as arguments too. */
function withPaths<O extends WorldOptions>(options: O, paths: readonly string[]): O {
  return { ...options, dir: [...(options.dir ?? []), ...paths] };
}

function withMatrixOptions(command: Command): Command {
  return command
    .option("--ports <traffics>", "80/TCP,81/UDP,ICMP", "80/TCP")
    .option("--nodes", "nodes take part too")
    .option("--outside <end>", "ADDRESS or NAME=ADDRESS,ADDRESS takes part too; may be repeated", collect)
    .option("--denied <word>", "what a denied sender sees: timeout or refused", "timeout");
}

function addExplain(policy: Command, io: Io): void {
  const command = policy.command("explain [paths...]").description("why a flow is allowed or denied");
  withMatrixOptions(withJson(withWorldOptions(command)))
    .option("--from <end>", "namespace/pod, an address, or a node")
    .option("--to <end>", "namespace/pod, an address, or a node")
    .option("--port <traffic>", "80/TCP, 53/UDP, http/TCP, ICMP, ICMP/3/4, IP/47")
    .option("--all", "also print each rule that is not about the flow")
    .option("--matrix", "who reaches whom instead, on --ports: see matrix")
    .action(async (paths: string[], options: ExplainOptions & MatrixOptions & { matrix?: boolean }) => {
      if (options.matrix === true) {
        if (options.port !== undefined) throw new UsageError("--matrix takes --ports, not --port");
        const { matrixCommand } = await import("../policy/matrix.ts");
        return matrixCommand(io, withPaths(options, paths));
      }
      const { explainCommand } = await import("../policy/explain.ts");
      await explainCommand(io, withPaths(options, paths));
    });
}

function addMatrix(policy: Command, io: Io): void {
  const command = policy
    .command("matrix [paths...]")
    .description("who reaches whom by policy, as the lab's probe prints it");
  withMatrixOptions(withJson(withWorldOptions(command)))
    .option("--from <ends>", "only these senders, separated by commas")
    .option("--to <ends>", "only these receivers, separated by commas")
    .action(async (paths: string[], options: MatrixOptions) => {
      const { matrixCommand } = await import("../policy/matrix.ts");
      await matrixCommand(io, withPaths(options, paths));
    });
}

function addTest(policy: Command, io: Io): void {
  const command = policy.command("test <paths...>").description("whether what files of kind PolicyTest claim is so");
  withJson(withWorldOptions(command))
    .option("--cluster", "judge over the cluster instead of the objects that the files name")
    .action(async (paths: string[], options: TestOptions) => {
      const { testCommand } = await import("../policy/test.ts");
      await testCommand(io, paths, options);
    });
}

function addList(policy: Command, io: Io): void {
  const list = policy
    .command("list [paths...]")
    .description("which policies there are, in the order of their judgement");
  withJson(withWorldOptions(list)).action(async (paths: string[], options: WorldOptions) => {
    const { listCommand } = await import("../policy/list.ts");
    await listCommand(io, withPaths(options, paths));
  });
  const get = policy
    .command("get <what...>")
    .description("how a policy was understood, and what of it is not enforced");
  withJson(withWorldOptions(get)).action(async (what: string[], options: WorldOptions) => {
    const { getCommand } = await import("../policy/list.ts");
    await getCommand(io, what, options);
  });
}

function addLint(policy: Command, io: Io): void {
  const command = policy
    .command("lint [paths...]")
    .description("rules that never decide, and selectors that select nothing");
  withJson(withWorldOptions(command)).action(async (paths: string[], options: WorldOptions) => {
    const { lintCommand } = await import("../policy/lint.ts");
    await lintCommand(io, withPaths(options, paths));
  });
}

function addHits(policy: Command, io: Io): void {
  withJson(withNodeOptions(policy.command("hits [what...]")))
    .description("how often rules decided on this node, all or those of one policy, and what staged ones would have")
    .option("--all", "also rules that decided nothing")
    .action(async (what: string[], options: HitsOptions) => {
      const { hitsCommand } = await import("../policy/hits.ts");
      await hitsCommand(io, what, options);
    });
}

/** Adds the commands. */
export function addPolicy(program: Command, io: Io): void {
  const policy = program.command("policy").description("what policies say, and why");
  addList(policy, io);
  addExplain(policy, io);
  addMatrix(policy, io);
  addTest(policy, io);
  addLint(policy, io);
  addHits(policy, io);
  withJson(policy.command("validate <paths...>"))
    .description("whether the objects in files would be taken; - is standard input")
    .action(async (paths: string[], options: ValidateOptions) => {
      const { validateCommand } = await import("../policy/validate.ts");
      await validateCommand(io, paths, options);
    });
}
