/** `npm run lab`: the lab's commands as a program. */

import { labCommand } from "./command.ts";

const command = labCommand((code) => {
  process.exitCode = code;
});
command.parseAsync(process.argv).catch((error: unknown) => {
  process.stderr.write(`✘ ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
