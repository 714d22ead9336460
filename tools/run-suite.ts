/** Runs one suite of test files by node:test, one process for each file, and says what happened in few lines. */

import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { type EventData, run } from "node:test";
import { inspect } from "node:util";
import { repoRoot } from "./repo-files.ts";
import type { Suite } from "./suites.ts";
import { formatTally, noTests, type Tally } from "./tally.ts";

/** Longest time for one file; a file that hangs is ended and counted as failed. */
const fileTimeoutMs = 15 * 60_000;

/** What one suite came to. */
export interface SuiteResult {
  readonly tally: Tally;
  /** `file: test: reason` for each skipped test. */
  readonly skips: readonly string[];
  /** `file:line test` for each failed one. */
  readonly failures: readonly string[];
}

/** The tally of one summary. A file in which no test ran proves nothing, so it counts as failed. */
export function tallyOf(s: Pick<EventData.TestSummary, "counts" | "success">): Tally {
  const { passed, cancelled, skipped, todo, tests } = s.counts;
  // Node counts failures as what is left over; a failed hook fails the file without failing a test.
  const failed = Math.max(tests - passed - skipped - todo, cancelled, s.success && tests > 0 ? 0 : 1);
  return { passed, failed, skipped: skipped + todo };
}

function place(e: EventData.LocationInfo): string {
  const file = relative(repoRoot, e.file ?? "");
  return e.line === undefined ? file : `${file}:${e.line}`;
}

function formatFailure(e: EventData.TestFail): string {
  const cause: unknown = e.details.error.cause ?? e.details.error;
  const text = cause instanceof Error && cause.stack !== undefined ? cause.stack : inspect(cause);
  return `  ✖ ${place(e)} ${e.name}\n${text.replace(/^/gm, "      ")}`;
}

/** A failed describe, or a file, only repeats the failure inside it. */
function isEcho(e: EventData.TestFail): boolean {
  const code = (e.details.error as { failureType?: string }).failureType;
  return code === "subtestsFailed";
}

/** Runs the files of a suite and prints one line for each, failures in full. */
export async function runSuite(suite: Suite, print: (line: string) => void): Promise<SuiteResult> {
  let tally = noTests;
  const skips: string[] = [];
  const failures: string[] = [];
  const events = run({
    files: suite.files.map((f) => join(repoRoot, f)),
    concurrency: suite.isPrivileged ? 1 : availableParallelism(),
    timeout: fileTimeoutMs,
    cwd: repoRoot,
  });
  events.on("test:fail", (e) => {
    if (e.todo !== undefined && e.todo !== false) return;
    if (isEcho(e)) return;
    failures.push(`${place(e)} ${e.name}`);
    print(formatFailure(e));
  });
  events.on("test:pass", (e) => {
    if (e.skip === undefined || e.skip === false || e.details.type === "suite") return;
    skips.push(`${place(e)} ${e.name}: ${e.skip === true ? "no reason is given" : e.skip}`);
  });
  events.on("test:summary", (s) => {
    if (s.file === undefined) {
      tally = tallyOf(s);
      return;
    }
    const own = tallyOf(s);
    const mark = own.failed > 0 ? "✖" : "✔";
    const file = relative(repoRoot, s.file);
    print(`  ${mark} ${file.padEnd(56)} ${formatTally(own).padEnd(34)} ${(s.duration_ms / 1000).toFixed(1)} s`);
    if (s.counts.tests === 0) failures.push(`${file} no test ran in it`);
  });
  // Reading the stream to its end is what makes it run.
  for await (const _ of events);
  return {
    tally: tally.failed === 0 && failures.length > 0 ? { ...tally, failed: failures.length } : tally,
    skips,
    failures,
  };
}
