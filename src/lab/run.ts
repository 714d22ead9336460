/** Runs a command to its end, with bounds on time and output. */

import { spawn } from "node:child_process";

/** What a command left. */
export interface Output {
  /** Exit status; 128 + number for a signal, as shells count. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that was expected to succeed did not. */
export class CommandError extends Error {
  readonly code = "COMMAND_FAILED";
  readonly output: Output;

  constructor(argv: readonly string[], output: Output) {
    const said = (output.stderr.trim() || output.stdout.trim()).slice(0, 2_000);
    super(`Command "${argv.join(" ")}" ended with status ${output.code}${said === "" ? "" : `: ${said}`}`);
    this.name = "CommandError";
    this.output = output;
  }
}

/** Bounds and input of {@link runProcess}. */
export interface RunOptions {
  readonly input?: string;
  /** Default 60 s; then SIGKILL, status 137. */
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Default 4 MiB of each stream are kept, the rest is read and dropped. */
  readonly maxBytes?: number;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** A process's end as one number, the way shells and Kubernetes count it. */
export function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (SIGNAL_NUMBERS[signal ?? "SIGKILL"] ?? 9);
}

/**
 * Runs a command and gives what it left, whatever its status.
 * @throws Error when it cannot be started
 */
export function runProcess(argv: readonly string[], options: RunOptions = {}): Promise<Output> {
  const maxBytes = options.maxBytes ?? 4 << 20;
  const [file = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe"],
      cwd: "/",
      ...(options.env ? { env: options.env } : {}),
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 60_000);
    const streams = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        if (streams[name].length < maxBytes) streams[name] += text;
      });
    }
    child.once("error", (cause) => {
      clearTimeout(timer);
      reject(new Error(`Cannot run "${file}": ${cause.message}`, { cause }));
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code: exitStatus(code, signal), ...streams });
    });
    child.stdin.on("error", () => {
      // A command that does not read its input closes it: its status tells.
    });
    child.stdin.end(options.input ?? "");
  });
}

/** Runs a command that must succeed. @throws CommandError */
export async function mustRun(argv: readonly string[], options: RunOptions = {}): Promise<Output> {
  const output = await runProcess(argv, options);
  if (output.code !== 0) throw new CommandError(argv, output);
  return output;
}
