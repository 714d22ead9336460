/**
 * Ends test files whose process does not end. node:test's own limit is for tests: a process whose tests are done and
 * that a socket or a timer keeps alive would hold up the gate for ever.
 */

import { readdirSync, readFileSync } from "node:fs";

/** How often it looks. */
const lookMs = 1000;

/** Running children of this process that are test files: their process ids and files. */
function testChildren(): { pid: number; file: string }[] {
  const found: { pid: number; file: string }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // pid (comm) state ppid …; the name may hold spaces and brackets.
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      if (stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] !== String(process.pid)) continue;
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      const file = words.findLast((w) => w.endsWith(".test.ts"));
      if (file !== undefined) found.push({ pid: Number(name), file });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/**
 * Watches until disposed. A file's process that lives longer than the limit is killed, and `ended` is told.
 * @param limitMs from when it is first seen, at most a second after its start
 */
export function watchTestFiles(limitMs: number, ended: (file: string) => void): Disposable {
  const seen = new Map<number, number>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const { pid, file } of testChildren()) {
      const since = seen.get(pid) ?? now;
      seen.set(pid, since);
      if (now - since <= limitMs) continue;
      seen.delete(pid);
      process.kill(pid, "SIGKILL");
      ended(file);
    }
  }, lookMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
