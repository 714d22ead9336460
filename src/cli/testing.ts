/** Runs the command line as its users do: in a process of its own. */

import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** How a command ended. */
export interface CliOutcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `twill` with these words. @param input what it reads from standard input */
export async function runCli(words: readonly string[], input = ""): Promise<CliOutcome> {
  const { NO_COLOR: _no, FORCE_COLOR: _force, KUBECONFIG: _config, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...words], { env });
  const ended = new Promise<number | null>((resolve, reject) => child.once("close", resolve).once("error", reject));
  child.stdin.on("error", () => {}).end(input);
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}
