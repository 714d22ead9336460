/** The command line of Twill: reads arguments, runs one command, says what went wrong. */

import { CommanderError } from "commander";
import { paletteFor } from "./colour.ts";
import type { Io } from "./io.ts";
import { makeProgram } from "./program.ts";

/** Exit code of a wrong use. */
const USAGE_EXIT = 2;

function processIo(): Io {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    palette: paletteFor(process.stdout.isTTY, process.env),
    words: process.argv.slice(2),
    env: process.env,
    setExitCode: (code) => {
      process.exitCode = code;
    },
    nowMs: Date.now,
  };
}

/** Why others than root are refused is seldom what they read first. */
function rootHint(message: string): string {
  const uid = process.geteuid?.();
  if (uid === 0 || !/\b(EPERM|EACCES)\b|not permitted|permission denied/i.test(message)) return "";
  return `This ran as uid ${uid}: Twill makes devices and loads eBPF, which only root may\n`;
}

/** Runs the command line. Never throws. */
async function main(io: Io): Promise<void> {
  // A reader that has seen enough (`twill … | head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    io.err(`twill: Cannot write to standard output: ${error.code ?? error.message}\n`);
    process.exit(1);
  });
  try {
    await makeProgram(io).parseAsync([...io.words], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed its own words.
      process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT;
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    const isUsage = error instanceof Error && "code" in error && error.code === "USAGE";
    const red = paletteFor(process.stderr.isTTY, process.env).bad;
    io.err(`${red("twill:")} ${message}\n${rootHint(message)}`);
    if (process.env["TWILL_DEBUG"] !== undefined && error instanceof Error) io.err(`${error.stack}\n`);
    process.exitCode = isUsage ? USAGE_EXIT : 1;
  }
}

await main(processIo());
