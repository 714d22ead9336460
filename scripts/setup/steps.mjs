// Runs set-up steps: a line when one starts, a line with its seconds when it ends, and on failure the command, its last
// lines and what to do. Everything goes to standard error, so standard output belongs to the command that was asked for.

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { performance } from "node:perf_hooks";

/** A failure that already says what to do. Printed without a stack. */
export class SetupError extends Error {
  /** @param {string} message what failed @param {string} remedy what to do about it */
  constructor(message, remedy, options) {
    super(message, options);
    this.remedy = remedy;
  }
}

/** One line of progress. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** On a terminal, counts the seconds of a step while it runs. Gives the function that stops it. */
function ticker(start) {
  if (!process.stderr.isTTY) return () => {};
  const timer = setInterval(() => {
    process.stderr.write(`\r    ${((performance.now() - start) / 1000).toFixed(0)} s `);
  }, 1000);
  return () => {
    clearInterval(timer);
    process.stderr.write("\r");
  };
}

/** Runs one step and says how long it took, also when it failed. Gives what the step gave. */
export async function step(what, work) {
  say(`  ▸ ${what}`);
  const start = performance.now();
  const stop = ticker(start);
  try {
    return await work();
  } finally {
    stop();
    say(`    ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

const keptLines = 20;

/**
 * Runs a program to its end with its output in a log file.
 * @returns {Promise<{code: number, tail: string}>} exit status (128 + signal number is not told apart: -1) and last lines
 */
export function run(command, args, { cwd, env, log }) {
  mkdirSync(dirname(log), { recursive: true });
  return new Promise((resolve, reject) => {
    const out = openSync(log, "w");
    writeSync(out, `$ ${[command, ...args].join(" ")}\n`);
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let tail = "";
    const keep = (chunk) => {
      writeSync(out, chunk);
      tail = (tail + chunk.toString("utf8")).slice(-16_384);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", reject);
    child.on("close", (code) => {
      closeSync(out);
      // npm prints its whole usage after an error: what it said before is what counts.
      const lines = (tail.split(/\n[^\n]*Usage:\n/)[0] ?? "").trimEnd().split("\n").slice(-keptLines);
      resolve({ code: code ?? -1, tail: lines.map((l) => `    | ${l}`).join("\n") });
    });
  });
}

/**
 * Runs a program that has to succeed.
 * @throws SetupError with the command, its last lines, the log's place and the remedy
 */
export async function mustRun(command, args, options) {
  let result;
  try {
    result = await run(command, args, options);
  } catch (cause) {
    throw new SetupError(`Cannot start "${command}": ${cause.message}`, options.remedy, { cause });
  }
  if (result.code !== 0) {
    const line = [command, ...args].join(" ");
    throw new SetupError(
      `"${line}" ended with status ${result.code}; its last lines:\n${result.tail}\n    (all of it: ${options.log})`,
      options.remedy,
    );
  }
}
