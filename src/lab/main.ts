/** `npm run lab`: the lab's commands as a program. */

import { CommanderError } from "commander";
import { labCommand } from "./command.ts";

/** Exit code of a wrong use, as with `twill`. */
const USAGE_EXIT = 2;

const command = labCommand((code) => {
  process.exitCode = code;
});
command.parseAsync(process.argv).catch((error: unknown) => {
  // Commander has printed its own words.
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT;
    return;
  }
  process.stderr.write(`✘ ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
