/** Runs test files by node:test, one process for each, and says what happened in few lines. */

import { join, relative } from "node:path";
import { type EventData, run } from "node:test";
import { inspect } from "node:util";
import { repoRoot } from "./repo-files.ts";
import { formatTally, noTests, type Tally } from "./tally.ts";
import { watchTestFiles } from "./watchdog.ts";

/** What test files came to. */
export interface FilesResult {
  readonly tally: Tally;
  /** `file: test: reason` for each skipped test. */
  readonly skips: readonly string[];
  /** `file:line test` for each failed one. */
  readonly failures: readonly string[];
}

/** The tally of one summary. A run without tests proves nothing, so it counts as failed. */
export function tallyOf(s: Pick<EventData.TestSummary, "counts" | "success">): Tally {
  const { passed, cancelled, skipped, todo, tests } = s.counts;
  // Node counts failures as what is left over; a failed hook fails the file without failing a test.
  const failed = Math.max(tests - passed - skipped - todo, cancelled, s.success && tests > 0 ? 0 : 1);
  return { passed, failed, skipped: skipped + todo };
}

/** A suite that was left out whole counts as one skipped test; nothing but such suites is no failure. */
function withLeftOut(s: EventData.TestSummary, leftOut: number): Tally {
  const isNothingElse = s.counts.tests === 0 && s.success && leftOut > 0;
  const own = isNothingElse ? noTests : tallyOf(s);
  return { ...own, skipped: own.skipped + leftOut };
}

function sumOf(numbers: Iterable<number>): number {
  return [...numbers].reduce((sum, n) => sum + n, 0);
}

function place(e: EventData.LocationInfo): string {
  const file = relative(repoRoot, e.file ?? "");
  return e.line === undefined ? file : `${file}:${e.line}`;
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, "      ");
}

function formatFailure(e: EventData.TestFail, output: string): string {
  const cause: unknown = e.details.error.cause ?? e.details.error;
  // A cause within the cause (fast-check keeps the failed assertion there) is worth its lines.
  const isLeaf = cause instanceof Error && cause.cause === undefined;
  const text = isLeaf ? (cause.stack ?? cause.message) : inspect(cause);
  return `  ✖ ${place(e)} ${e.name}\n${indent(text)}${output === "" ? "" : `\n${indent(output)}`}`;
}

/** A failed describe, or a file, only repeats the failure inside it. */
function isEcho(e: EventData.TestFail): boolean {
  return (e.details.error as { failureType?: string }).failureType === "subtestsFailed";
}

/** How much of what a file printed is kept to be shown when the file itself fails. */
const keptOutput = 8192;

/** Listens to one run and keeps what is worth telling. */
class Listener {
  readonly skips: string[] = [];
  readonly failures: string[] = [];
  readonly #print: (line: string) => void;
  readonly #output = new Map<string, string>();
  /** Suites that were left out whole, by file: their tests are not even counted. */
  readonly #leftOut = new Map<string, number>();
  #empty = 0;
  #tally = noTests;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  keepOutput(e: EventData.TestStdout | EventData.TestStderr): void {
    this.#output.set(e.file, ((this.#output.get(e.file) ?? "") + e.message).slice(-keptOutput));
  }

  failed(e: EventData.TestFail): void {
    if ((e.todo !== undefined && e.todo !== false) || isEcho(e)) return;
    const isFile = e.name === e.file;
    const name = isFile ? "the file itself failed" : e.name;
    this.failures.push(`${place(e)} ${name}`);
    this.#print(formatFailure({ ...e, name }, isFile ? (this.#output.get(e.name) ?? "") : ""));
  }

  passed(e: EventData.TestPass): void {
    // A file in which no test ran is reported as one test that has the file's name.
    if (e.name === e.file) {
      this.#empty++;
      this.failures.push(`${place(e)} no test ran in it`);
      this.#print(`  ✖ ${place(e)} no test ran in it`);
    } else if (e.skip !== undefined && e.skip !== false) {
      this.skips.push(`${place(e)} ${e.name}: ${e.skip === true ? "no reason is given" : e.skip}`);
      if (e.details.type === "suite" && e.file !== undefined)
        this.#leftOut.set(e.file, (this.#leftOut.get(e.file) ?? 0) + 1);
    }
  }

  summed(s: EventData.TestSummary): void {
    if (s.file === undefined) {
      this.#tally = withLeftOut(s, sumOf(this.#leftOut.values()));
      return;
    }
    const own = withLeftOut(s, this.#leftOut.get(s.file) ?? 0);
    const file = relative(repoRoot, s.file).padEnd(56);
    const seconds = (s.duration_ms / 1000).toFixed(1);
    this.#print(`  ${own.failed > 0 ? "✖" : "✔"} ${file} ${formatTally(own).padEnd(34)} ${seconds} s`);
  }

  result(): FilesResult {
    const { passed, failed, skipped } = this.#tally;
    const tally = { passed: passed - this.#empty, failed: failed + this.#empty, skipped };
    return { tally, skips: this.skips, failures: this.failures };
  }
}

/** How files are run. */
export interface RunOptions {
  /** For each file; one that hangs is ended and has failed. */
  readonly limitMs: number;
  /** So many files at a time. */
  readonly concurrency: number;
}

/** Runs files, whose paths are relative to the root, and prints one line for each, failures in full. */
export async function runFiles(
  files: readonly string[],
  print: (line: string) => void,
  { limitMs, concurrency }: RunOptions,
): Promise<FilesResult> {
  const listener = new Listener(print);
  using _watch = watchTestFiles(limitMs, (file) => {
    print(
      `  ✖ ${relative(repoRoot, file)} was ended after ${limitMs / 1000} s: a test hangs, or keeps its process alive`,
    );
  });
  const events = run({
    files: files.map((f) => join(repoRoot, f)),
    concurrency,
    timeout: limitMs,
    cwd: repoRoot,
  });
  events.on("test:stdout", (e) => listener.keepOutput(e));
  events.on("test:stderr", (e) => listener.keepOutput(e));
  events.on("test:fail", (e) => listener.failed(e));
  events.on("test:pass", (e) => listener.passed(e));
  events.on("test:summary", (s) => listener.summed(s));
  // Reading the stream to its end is what makes it run.
  for await (const _ of events);
  return listener.result();
}
