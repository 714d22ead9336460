/** The benchmarks' own addon: built on first use, loaded by nothing else. See native/bench.c for why it exists. */

import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** A program to start: no arguments, as container runtimes call plugins. */
export interface Job {
  readonly path: string;
  /** `NAME=value`, at most 64. */
  readonly env: readonly string[];
  /** Standard input, at most 64 KiB. */
  readonly input: string;
}

/** How it ended. */
export interface Ended {
  /** Exit code; negative: the signal. */
  readonly status: number;
  readonly output: string;
  /** From before the spawn until the exit was seen. */
  readonly milliseconds: number;
}

/** What the addon offers. */
export interface BenchAddon {
  /** Starts all at once and waits for all; blocks. */
  runPrograms(jobs: readonly Job[]): Ended[];
  /** Blocks for ever. */
  serveConnections(host: string, port: number): never;
  /** Connections one after the other, for so many seconds, each to one of `addresses` (default 1) from `host` on; blocks. */
  countConnections(host: string, port: number, seconds: number, addresses?: number): ConnectionTimes;
  /**
   * Begins so many connections in a second, at most 256 of them open at once, asks each by HTTP and reads the lab's echo answer, until the time is
   * over or standard input ends; then waits for those that are open. Blocks.
   * @param deadlineMs after which a connection has failed
   */
  paceConnections(host: string, port: number, perSecond: number, seconds: number, deadlineMs: number): PacedConnections;
}

/** What came of connections at a steady pace. */
export interface PacedConnections {
  readonly attempts: number;
  /** By errno's name, `timeout` or `closed early`. */
  readonly failures: Readonly<Record<string, number>>;
  /** How many each server answered, by the name that it gives itself. */
  readonly servers: Readonly<Record<string, number>>;
  /** From the first one until the last one was begun. */
  readonly seconds: number;
  /** From the socket until the server has closed; of those that succeeded. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  /** When the first and the last connection that failed were begun, as `process.hrtime` counts; 0: none did. */
  readonly firstFailureMs: number;
  readonly lastFailureMs: number;
}

/** What connections took: opened, one byte each way, closed. */
export interface ConnectionTimes {
  /** In a second. */
  readonly rate: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = ["bench.c", "pace.c", "pace.h"].map((name) => `${ROOT}bench/native/${name}`);
const BUILT = `${ROOT}build/bench.node`;

/** The addon, built before if it is older than its source. @throws Error with the compiler's words */
export function loadBenchAddon(): BenchAddon {
  const built = statSync(BUILT, { throwIfNoEntry: false });
  if (built === undefined || SOURCES.some((s) => built.mtimeMs < statSync(s).mtimeMs)) build();
  return createRequire(import.meta.url)(BUILT) as BenchAddon;
}

function build(): void {
  mkdirSync(`${ROOT}build`, { recursive: true });
  const temporary = `${BUILT}.${process.pid}`;
  const flags = [
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-shared",
    "-fPIC",
    `-I${ROOT}node_modules/node-api-headers/include`,
  ];
  const ended = spawnSync("gcc", [...flags, ...SOURCES.filter((s) => s.endsWith(".c")), "-o", temporary], {
    encoding: "utf8",
  });
  if (ended.status !== 0) throw new Error(`Cannot build "${BUILT}": ${ended.error?.message ?? ended.stderr}`);
  renameSync(temporary, BUILT);
}
