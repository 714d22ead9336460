/**
 * Rooms: a test file that makes namespaces and loads eBPF runs in a network and a mount namespace of its own, with an empty `/run`
 * and `/tmp`. So several run at the same time, none of them sees the machine's network, and what one leaves behind is known by its name.
 */

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { sweepTemporary } from "../src/kernel/linux/sweep-temporary.ts";
import { repoRoot } from "./repo-files.ts";
import type { FilesResult, RunOptions } from "./run-files.ts";
import { addTallies, noTests } from "./tally.ts";

/** What a room says last, as JSON. */
export interface RoomReport {
  readonly lines: readonly string[];
  readonly result: FilesResult;
}

/** How rooms are made. */
export interface RoomOptions extends RunOptions {
  /** Whether files see the machine's network. */
  readonly isOnline: boolean;
}

/** After a file's time is over: to end it, and to say so. */
const graceMs = 60_000;

/** How much of a room's words is shown when it broke down. */
const keptOutput = 4096;

/** With a folder for `/tmp`, a word for the network, and a command. */
const furnish = `set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
mount --bind "$1" /tmp
[ "$2" = online ] || ip link set lo up
shift 2
exec "$@"`;

const prefix = "twill-room-";

function commandOf(file: string, folder: string, { limitMs, isOnline }: RoomOptions): string[] {
  const own = isOnline ? ["--mount"] : ["--mount", "--net"];
  const shell = ["sh", "-c", furnish, "sh", folder, isOnline ? "online" : "offline"];
  const inside = [process.execPath, join(repoRoot, "tools/room.ts"), file, String(limitMs)];
  // Who ends the gate ends its rooms.
  return ["setpriv", "--pdeathsig", "KILL", "unshare", ...own, ...shell, ...inside];
}

/** Runs one file in a room. A room that breaks down is a file that failed. */
async function runInRoom(file: string, options: RoomOptions): Promise<RoomReport> {
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  chmodSync(folder, 0o1777);
  const [program = "", ...args] = commandOf(file, folder, options);
  const child = spawn(program, args, { cwd: repoRoot, stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.limitMs + graceMs);
  try {
    const ended = new Promise<string>((resolve) => {
      child.once("error", (e) => resolve(e.message));
      child.once("close", (code, signal) => resolve(`it ended with ${signal ?? `status ${code}`}`));
    });
    const [said, complaints, end] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    try {
      return JSON.parse(said) as RoomReport;
    } catch {
      const words = `${said}${complaints}`.slice(-keptOutput).trimEnd().replace(/^/gm, "      ");
      return {
        lines: [`  ✖ ${file} broke down: ${end}\n${words}`],
        result: { tally: { ...noTests, failed: 1 }, skips: [], failures: [`${file} broke down: ${end}`] },
      };
    }
  } finally {
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs files, whose paths are relative to the root, each in a room, and prints what each came to when it is done. */
export async function runInRooms(
  files: readonly string[],
  print: (line: string) => void,
  options: RoomOptions,
): Promise<FilesResult> {
  sweepTemporary(new RegExp(`^${prefix}([0-9]+)-`));
  const waiting = [...files];
  const skips: string[] = [];
  const failures: string[] = [];
  let tally = noTests;
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { lines, result } = await runInRoom(file, options);
      for (const line of lines) print(line);
      tally = addTallies(tally, result.tally);
      skips.push(...result.skips);
      failures.push(...result.failures);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  return { tally, skips, failures };
}
