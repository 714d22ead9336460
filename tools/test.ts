/**
 * The gate: everything that has to hold before a change lands, in the order in which a mistake shows soonest.
 *
 *   npm test [-- --only NAME]     NAME is a check, a suite, or a part of a test file's path
 *   npm run ok                    the checks and the unit tests: no root, no kernel
 */

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Check, checks, runCheck } from "./checks.ts";
import { newThings, photograph, runMark, survivors } from "./leaks.ts";
import { repoFiles } from "./repo-files.ts";
import { runInRooms } from "./rooms.ts";
import { runFiles } from "./run-files.ts";
import { type Suite, selectSuites, suitesOf } from "./suites.ts";
import { addTallies, formatTally, noTests, type Tally } from "./tally.ts";

/** Longest time for one file, on a machine that is busy with something else. */
const limitMs = { unit: 8 * 60_000, privileged: 15 * 60_000 } as const;

/** How long processes that were told to end may take before they count as left behind. */
const graceMs = 60_000;

interface Report {
  tally: Tally;
  readonly failures: string[];
  readonly skips: string[];
  readonly timings: string[];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function timed(report: Report, name: string, work: () => Promise<Tally>): Promise<void> {
  print(`\n── ${name}`);
  const start = performance.now();
  const tally = await work();
  report.tally = addTallies(report.tally, tally);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  report.timings.push(`  ${name.padEnd(24)} ${`${seconds} s`.padStart(8)}   ${formatTally(tally)}`);
}

async function gateCheck(report: Report, check: Check): Promise<void> {
  await timed(report, check.name, async () => {
    const result = await runCheck(check);
    switch (result.kind) {
      case "passed":
        print(`  ✔ ${check.what}`);
        return { ...noTests, passed: 1 };
      case "skipped":
        report.skips.push(`${check.name}: ${result.reason}`);
        print(`  - ${check.what}: not judged, ${result.reason}`);
        return { ...noTests, skipped: 1 };
      case "failed":
        report.failures.push(`${check.name}: ${check.what}`);
        print(`  ✖ ${check.what}\n${result.output.replace(/^/gm, "      ")}`);
        return { ...noTests, failed: 1 };
    }
  });
}

async function gateSuite(report: Report, suite: Suite): Promise<void> {
  await timed(report, suite.name, async () => {
    const { files, isPrivileged, isAlone, isOnline } = suite;
    const concurrency = isAlone ? 1 : availableParallelism();
    const result = isPrivileged
      ? await runInRooms(files, print, { limitMs: limitMs.privileged, concurrency, isOnline })
      : await runFiles(files, print, { limitMs: limitMs.unit, concurrency });
    report.failures.push(...result.failures);
    report.skips.push(...result.skips);
    return result.tally;
  });
}

/** Waits until no process of this run lives any more, or the grace is over; then names the living. */
async function lastSurvivors(mark: string): Promise<string[]> {
  const end = performance.now() + graceMs;
  for (;;) {
    const alive = survivors(mark);
    if (alive.length === 0 || performance.now() > end) return alive;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function gateLeaks(report: Report, mark: string, before: ReturnType<typeof photograph>): Promise<void> {
  await timed(report, "leaks", async () => {
    const left = [...(await lastSurvivors(mark)), ...newThings(before, photograph())];
    if (left.length === 0) {
      print("  ✔ nothing is left behind: no process, namespace, link, mount, pin, control group or file");
      return { ...noTests, passed: 1 };
    }
    for (const thing of left) print(`  ✖ left behind: ${thing}`);
    report.failures.push(...left.map((l) => `left behind: ${l}`));
    return { ...noTests, failed: 1 };
  });
}

function summary(report: Report): void {
  print("\n── summary");
  for (const line of report.timings) print(line);
  if (report.skips.length > 0) print(`\nSkipped, and why:\n${report.skips.map((s) => `  ${s}`).join("\n")}`);
  if (report.failures.length > 0) print(`\nFailed:\n${report.failures.map((f) => `  ${f}`).join("\n")}`);
  print(`\n${formatTally(report.tally)}`);
}

function readOptions(args: string[]): { only?: string; fast?: boolean } | undefined {
  try {
    return parseArgs({ args, options: { only: { type: "string" }, fast: { type: "boolean" } } }).values;
  } catch (e) {
    print(`${(e as Error).message}\nUsage: npm test [-- --only NAME]`);
    return undefined;
  }
}

async function main(args: string[]): Promise<number> {
  const values = readOptions(args);
  if (values === undefined) return 2;
  const all = suitesOf(repoFiles()).filter((s) => values.fast !== true || !s.isPrivileged);
  const { only } = values;
  const wantedChecks = checks.filter((c) => only === undefined || c.name === only);
  const wantedSuites = only === undefined ? all : wantedChecks.length > 0 ? [] : selectSuites(all, only);
  if (wantedChecks.length + wantedSuites.length === 0) {
    const names = [...checks.map((c) => c.name), ...all.map((s) => s.name)].join(", ");
    print(`Nothing is called "${only}": try one of ${names}, or a part of a test file's path`);
    return 2;
  }
  const mark = `${process.pid}-${Date.now()}`;
  process.env[runMark] = mark;
  const before = photograph();
  const report: Report = { tally: noTests, failures: [], skips: [], timings: [] };
  for (const check of wantedChecks) if (values.fast !== true || !check.isSlow) await gateCheck(report, check);
  for (const suite of wantedSuites) await gateSuite(report, suite);
  if (wantedSuites.length > 0) await gateLeaks(report, mark, before);
  summary(report);
  return report.tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
