import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, describe, it } from "node:test";
import { repoRoot } from "./repo-files.ts";
import { type FilesResult, tallyOf } from "./run-files.ts";
import { addTallies, formatTally, noTests } from "./tally.ts";

const counts = { tests: 0, passed: 0, cancelled: 0, skipped: 0, todo: 0, suites: 0, topLevel: 0 };

describe("tallyOf()", () => {
  const cases: readonly [string, Parameters<typeof tallyOf>[0], string][] = [
    ["all well", { success: true, counts: { ...counts, tests: 3, passed: 3 } }, "3 passed, 0 failed, 0 skipped"],
    ["one failed", { success: false, counts: { ...counts, tests: 3, passed: 2 } }, "2 passed, 1 failed, 0 skipped"],
    [
      "skipped",
      { success: true, counts: { ...counts, tests: 3, passed: 1, skipped: 2 } },
      "1 passed, 0 failed, 2 skipped",
    ],
    ["cancelled", { success: false, counts: { ...counts, tests: 2, cancelled: 2 } }, "0 passed, 2 failed, 0 skipped"],
    [
      "only a hook failed",
      { success: false, counts: { ...counts, tests: 1, passed: 1 } },
      "1 passed, 1 failed, 0 skipped",
    ],
    ["no test ran", { success: true, counts }, "0 passed, 1 failed, 0 skipped"],
  ];
  for (const [name, summary, wanted] of cases)
    it(`${name}: ${wanted}`, () => assert.equal(formatTally(tallyOf(summary)), wanted));
});

it("addTallies() adds each count", () => {
  const t = { passed: 1, failed: 2, skipped: 3 };
  assert.deepEqual(addTallies(addTallies(noTests, t), t), { passed: 2, failed: 4, skipped: 6 });
});

const head = 'import { before, describe, it } from "node:test";\n';

/** Name of a test file, its text, and what the suite makes of it. */
const nasty: readonly (readonly [string, string, { passed: number; failed: number; skipped: number }, RegExp])[] = [
  ["well", `${head}it("a", () => {});`, { passed: 1, failed: 0, skipped: 0 }, /✔ .*well.*1 passed/],
  ["throws", `${head}it("a", () => { throw new Error("Why"); });`, { passed: 0, failed: 1, skipped: 0 }, /:2 a\n.*Why/],
  ["skips", `${head}it("a", { skip: "no device" }, () => {});`, { passed: 0, failed: 0, skipped: 1 }, /1 skipped/],
  [
    "leaves-out-all",
    `${head}describe("d", { skip: "no device" }, () => { it("a", () => {}); it("b", () => {}); });`,
    { passed: 0, failed: 0, skipped: 1 },
    /✔ .*leaves-out-all.*0 passed, 0 failed, 1 skipped/,
  ],
  [
    "leaves-out-some",
    `${head}it("a", () => {}); describe("d", { skip: "no device" }, () => { it("b", () => {}); });`,
    { passed: 1, failed: 0, skipped: 1 },
    /1 passed, 0 failed, 1 skipped/,
  ],
  ["is-empty", "export const a = 1;", { passed: 0, failed: 1, skipped: 0 }, /no test ran in it/],
  [
    "crashes",
    'console.error("Words"); throw new Error();',
    { passed: 0, failed: 1, skipped: 0 },
    /itself failed[\s\S]*Words/,
  ],
  [
    "exits",
    `${head}it("a", () => process.exit(0)); it("b", () => {});`,
    { passed: 0, failed: 1, skipped: 0 },
    /no test ran/,
  ],
  [
    "never-ends",
    `${head}it("a", () => {}); setInterval(() => {}, 1000);`,
    { passed: 1, failed: 1, skipped: 0 },
    /never-ends.* was ended after 8 s/,
  ],
  [
    "cannot-set-up",
    `${head}describe("d", () => { before(() => { throw new Error("Why"); }); it("a", () => {}); });`,
    { passed: 0, failed: 1, skipped: 0 },
    /Why/,
  ],
];

describe("runFiles()", () => {
  const folder = mkdtempSync(join(tmpdir(), "twill-suite-"));
  after(() => rmSync(folder, { recursive: true }));
  // node:test does not run inside node:test: a process of its own, and one that does not know it is in a test.
  const program = join(folder, "program.ts");
  writeFileSync(
    program,
    `import { runFiles } from ${JSON.stringify(join(repoRoot, "tools/run-files.ts"))};
    const lines: string[] = [];
    const options = { limitMs: Number(process.argv[3]), concurrency: 1 };
    const result = await runFiles([process.argv[2] ?? ""], (l) => lines.push(l), options);
    console.log(JSON.stringify({ result, lines: lines.join("\\n") }));`,
  );
  const env = { ...process.env };
  delete env["NODE_TEST_CONTEXT"];

  for (const [name, text, tally, said] of nasty)
    it(`${name}: ${formatTally(tally)}`, () => {
      const file = join(folder, `${name}.test.ts`);
      writeFileSync(file, text);
      const out = execFileSync(
        process.execPath,
        [program, relative(repoRoot, file), name === "never-ends" ? "8000" : "120000"],
        { env, encoding: "utf8" },
      );
      const { result, lines } = JSON.parse(out) as { result: FilesResult; lines: string };
      assert.deepEqual(result.tally, tally);
      assert.match(lines, said);
      // A hook that fails is named beside the tests that it took along.
      assert.ok(result.failures.length >= tally.failed && (tally.failed > 0 || result.failures.length === 0));
      assert.equal(result.skips.length, tally.skipped);
    });
});
