/** `twill completion bash|zsh|fish`. */

import { Argument, type Command } from "commander";
import type { Shell } from "../completion.ts";
import type { Io } from "../io.ts";
import { findLab } from "../load-lab.ts";

/** Adds the command; the last one, so that it knows all others. */
export function addCompletion(program: Command, io: Io): void {
  program
    .command("completion")
    .description("print the completion script of a shell")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"] satisfies Shell[]))
    .action(async (shell: Shell) => {
      const { completionScript } = await import("../completion.ts");
      const lab = await findLab();
      io.out(completionScript(shell, program, lab === undefined ? [] : [lab.labCommand(() => undefined)]));
    });
}
