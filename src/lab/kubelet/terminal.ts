/** Terminals for commands: util-linux' `script` makes them, so that nothing here has to. */

import { readlinkSync } from "node:fs";
import { childrenOf } from "../process.ts";
import { runProcess } from "../run.ts";

/** Quotes a word for sh. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_/:=.,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The command line that runs a command on a terminal of its own. */
export function terminalCommand(command: readonly string[]): string[] {
  // script would switch echoing off since its own input is no terminal: the user's is.
  return ["script", "-q", "-e", "-E", "always", "-c", `exec ${command.map(shellQuote).join(" ")}`, "/dev/null"];
}

const TRIES = 100;
const WAIT_MS = 10;

/** Tells a terminal its size, once there is one. `script` gives the process of {@link terminalCommand}, as long as it runs. */
export async function resizeTerminal(script: () => number | undefined, columns: number, rows: number): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const command = childrenOf(script() ?? 0)[0];
    const terminal = command === undefined ? undefined : linkOf(`/proc/${command}/fd/0`);
    if (terminal?.startsWith("/dev/pts/")) {
      const size = ["cols", String(columns), "rows", String(rows)];
      await runProcess(["stty", "-F", terminal, ...size]).catch(() => undefined);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
