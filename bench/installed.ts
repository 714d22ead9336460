/** Twill as its image has it, and an agent started as the image's is, for as long as a benchmark takes. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeHome } from "../install/image/root.ts";
import { AGENT_ENVIRONMENT, AGENT_FLAGS } from "../install/objects.ts";
import { repoRoot } from "../tools/repo-files.ts";

/** @returns what stands before `agent` on a command line; its files go with the stack */
export function installedTwill(stack: AsyncDisposableStack): readonly string[] {
  const build = join(repoRoot, "build");
  mkdirSync(build, { recursive: true });
  const home = mkdtempSync(join(build, "bench-twill-"));
  stack.defer(() => rmSync(home, { recursive: true, force: true }));
  makeHome(repoRoot, home);
  const environment = Object.entries(AGENT_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  return ["env", ...environment, process.execPath, ...AGENT_FLAGS, join(home, "src/cli/main.js")];
}
