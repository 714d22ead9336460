/** `twill lab …`: the cluster in a box; its own commands stand in `src/lab`. */

import type { Command } from "commander";
import type { Io } from "../io.ts";
import { loadLab } from "../load-lab.ts";

/** Adds the command. The lab is large: loaded only when it is asked for. */
export function addLab(program: Command, io: Io): void {
  program
    .command("lab")
    .description("a whole cluster on this machine, in network namespaces")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async () => {
      // As given, since parsing takes `--` away, which `lab exec` needs.
      const words = io.words.slice(io.words.indexOf("lab") + 1);
      const { labCommand } = await loadLab();
      const command = labCommand((code) => io.setExitCode(code), {
        out: (text) => io.out(text),
        err: (text) => io.err(text),
      });
      await command.parseAsync(words, { from: "user" });
    });
}
