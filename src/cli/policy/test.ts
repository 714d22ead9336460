/** `twill policy test`: claims in files, judged over the objects that they name or over a cluster. */

import { dirname, resolve } from "node:path";
import type { ReadFile, Refusal } from "../../cluster/directory/read-once.ts";
import { type AssertionResult, checkAssertion, holds } from "../../policy/ask/assertions.ts";
import { type PolicyTest, readPolicyTest, TEST_KIND } from "../../policy/ask/read-assertions.ts";
import type { World } from "../../policy/ask/world.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { modeOf, openWorld, refusalJson, refusalText, type WorldOptions } from "./sources.ts";

/** Options of the command. */
export interface TestOptions extends WorldOptions {
  readonly cluster?: boolean;
}

interface FoundTest {
  readonly file: string;
  readonly test: PolicyTest;
}

interface JudgedFile {
  readonly file: string;
  readonly name: string;
  readonly refused: readonly Refusal[];
  readonly results: readonly AssertionResult[];
}

/** The claims in the files; what cannot be read of them is refused. */
function findTests(files: readonly ReadFile[]): { readonly tests: FoundTest[]; readonly refused: Refusal[] } {
  const tests: FoundTest[] = [];
  const refused: Refusal[] = [];
  for (const { path: file, content } of files) {
    for (const { kind, name = "", ...b } of content.broken) refused.push({ ...b, file, kind, name });
    for (const { place, kind, value } of content.others) {
      if (kind !== TEST_KIND) continue;
      const read = readPolicyTest(value);
      if (read.ok) tests.push({ file, test: read.value });
      else refused.push({ file, place, kind, name: "", issues: read.error });
    }
  }
  return { tests, refused };
}

async function worldOf({ file, test }: FoundTest, io: Io, options: TestOptions) {
  const isElsewhere = options.cluster === true || (options.dir?.length ?? 0) > 0;
  if (isElsewhere && test.extra.length === 0) return openWorld(io, options);
  if (options.cluster === true)
    throw new UsageError(`"${file}" brings objects of its own (with): it cannot be judged over a cluster`);
  const { readFiles, readPaths } = await import("../../cluster/directory/read-once.ts");
  const { readValues } = await import("../../cluster/directory/read-file.ts");
  const { worldOfFiles } = await import("../../cluster/directory/world-of-files.ts");
  const { createInterner } = await import("../../model/intern.ts");
  const paths = isElsewhere ? (options.dir ?? []) : test.objects.map((o) => resolve(dirname(file), o));
  const extra = { path: `${file} (with)`, content: readValues(test.extra, createInterner()) };
  return worldOfFiles([...readFiles(await readPaths(paths)), extra], modeOf(options));
}

async function judge(found: FoundTest, io: Io, options: TestOptions): Promise<JudgedFile> {
  const { world, refused }: { world: World; refused: readonly Refusal[] } = await worldOf(found, io, options);
  const results = found.test.tests.map((a) => checkAssertion(world, a));
  return { file: found.file, name: found.test.name, refused, results };
}

/** Failures of one claim that are printed. */
const MAX_SHOWN = 20;

function resultText(r: AssertionResult, expect: string, io: Io): string {
  const { good, bad, dim } = io.palette;
  if (holds(r)) return `  ${good("✔")} ${r.name} ${dim(`(${r.flows} ${r.flows === 1 ? "flow" : "flows"})`)}\n`;
  const lines = r.failures
    .slice(0, MAX_SHOWN)
    .map((f) => `      ${f.from} → ${f.to} ${f.traffic} is ${f.found}: ${f.because}\n`);
  const more = r.failures.length - MAX_SHOWN;
  if (more > 0) lines.push(`      … and ${more} more flows\n`);
  if (r.error !== undefined) lines.push(`      ${r.error}\n`);
  return `  ${bad("✘")} ${r.name}, expected: ${expect}\n${lines.join("")}`;
}

function expectText({ expect, by }: PolicyTest["tests"][number]): string {
  return by === undefined ? expect : `${expect} by ${by}`;
}

/** Exit code 1: a claim does not hold, or something that it is about was refused. */
export async function testCommand(io: Io, paths: readonly string[], options: TestOptions): Promise<void> {
  const { readFiles, readPaths } = await import("../../cluster/directory/read-once.ts");
  const { tests, refused } = findTests(readFiles(await readPaths(paths)));
  if (tests.length === 0 && refused.length === 0)
    throw new UsageError(`There is no ${TEST_KIND} in ${paths.join(", ")}: docs/policy.md shows one`);
  const judged: JudgedFile[] = [];
  for (const found of tests) judged.push(await judge(found, io, options));
  const all = judged.flatMap((j) => j.results);
  const failed = all.filter((r) => !holds(r)).length;
  const isRefused = refused.length > 0 || judged.some((j) => j.refused.length > 0);
  if (failed > 0 || isRefused) io.setExitCode(1);
  if (options.json) {
    const files = judged.map((j) => ({ ...j, refused: refusalJson(j.refused) }));
    return printJson(io, { passed: all.length - failed, failed, refused: refusalJson(refused), files });
  }
  for (const r of refused) io.out(`${io.palette.bad("refused")} ${refusalText(r)}`);
  for (const [i, j] of judged.entries()) {
    io.out(`${j.file}${j.name === "" ? "" : `: ${j.name}`}\n`);
    for (const r of j.refused) io.out(`  ${io.palette.bad("refused")} ${refusalText(r)}`);
    for (const [k, r] of j.results.entries()) {
      const claim = tests[i]?.test.tests[k];
      io.out(resultText(r, claim === undefined ? "" : expectText(claim), io));
    }
  }
  io.out(`${all.length - failed} passed, ${failed} failed\n`);
}
