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

/**
 * Runs `twill` with these words. What people set for themselves does not count: colours, and which cluster.
 * @param input what it reads from standard input
 */
export async function runCli(
  words: readonly string[],
  input = "",
  own: Readonly<Record<string, string>> = {},
): Promise<CliOutcome> {
  const { NO_COLOR: _no, FORCE_COLOR: _force, KUBECONFIG: _config, HOME: _home, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...words], { env: { ...env, ...own } });
  const ended = new Promise<number | null>((resolve, reject) => child.once("close", resolve).once("error", reject));
  child.stdin.on("error", () => {}).end(input);
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}
