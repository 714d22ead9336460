/** Checks that are not tests: one program each, that says nothing when all is well. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { repoRoot } from "./repo-files.ts";

/** One program of the gate. */
export interface Check {
  readonly name: string;
  /** What holds when it succeeds. */
  readonly what: string;
  /** The program is absolute or relative to the checkout. */
  readonly command: readonly [string, ...string[]];
  /** Left out of the fast gate. */
  readonly isSlow: boolean;
}

/** Printed by a check that cannot judge here; what follows is the reason. */
const skipSign = "skip: ";

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
    command: [bin("biome"), "ci", "--colors=off", "--max-diagnostics=200", "--error-on-warnings", "."],
    isSlow: false,
  },
  {
    name: "addon",
    what: "the code expects the addon that native/ gives",
    command: [process.execPath, "native/sources.mjs", "--check"],
    isSlow: false,
  },
  {
    name: "objects",
    what: "the checked-in eBPF objects are what their sources give",
    command: [process.execPath, "bpf/build.mjs", "--check"],
    isSlow: true,
  },
  {
    name: "codecs",
    what: "the checked-in codecs are what the objects' types give",
    command: [process.execPath, "tools/gen-codecs.ts", "--check"],
    isSlow: false,
  },
];

/** How a check ended. */
export type CheckResult =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly output: string }
  | { readonly kind: "skipped"; readonly reason: string };

function resultOf(code: number | null, output: string): CheckResult {
  const text = output.trimEnd();
  if (code !== 0) return { kind: "failed", output: text === "" ? `ended with status ${code}` : text };
  return text.startsWith(skipSign) ? { kind: "skipped", reason: text.slice(skipSign.length) } : { kind: "passed" };
}

/** Runs it to its end. */
export function runCheck(check: Check): Promise<CheckResult> {
  const [program, ...args] = check.command;
  return new Promise((resolve) => {
    const child = spawn(program.startsWith("/") ? program : join(repoRoot, program), args, {
      cwd: repoRoot,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-65_536);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (e) => resolve({ kind: "failed", output: `Cannot start "${program}": ${e.message}` }));
    child.on("close", (code) => resolve(resultOf(code, output)));
  });
}
