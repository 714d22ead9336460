/** Checks that are not tests: one program each, that says nothing when all is well. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "./repo-files.ts";

/** One program of the gate. */
export interface Check {
  readonly name: string;
  /** What holds when it succeeds. */
  readonly what: string;
  /** Relative to the checkout, or a name on PATH. */
  readonly command: readonly [string, ...string[]];
  /** Left out of the fast gate. */
  readonly isSlow: boolean;
}

const bin = (name: string) => `node_modules/.bin/${name}`;

/** In the order in which they run. */
export const checks: readonly Check[] = [
  { name: "types", what: "everything type-checks", command: [bin("tsc"), "-p", "tsconfig.json"], isSlow: false },
  {
    name: "pure",
    what: "pure folders name neither Node nor the clock",
    command: [bin("tsc"), "-p", "tsconfig.pure.json"],
    isSlow: false,
  },
  {
    name: "lint",
    what: "format and lint",
    command: [bin("biome"), "ci", "--colors=off", "--max-diagnostics=200", "--diagnostic-level=warn", "."],
    isSlow: false,
  },
];

/** Runs it; its output when it failed, else undefined. */
export function runCheck(check: Check): Promise<string | undefined> {
  const [program, ...args] = check.command;
  const path = program.includes("/") ? join(repoRoot, program) : program;
  if (program.includes("/") && !existsSync(path)) return Promise.resolve(`"${program}" is not there`);
  return new Promise((resolve) => {
    const child = spawn(path, args, { cwd: repoRoot, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-65_536);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (e) => resolve(`Cannot start "${program}": ${e.message}`));
    child.on("close", (code) => resolve(code === 0 ? undefined : output.trimEnd() || `ended with status ${code}`));
  });
}
