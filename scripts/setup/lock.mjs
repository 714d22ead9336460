// One set-up at a time in one checkout: two terminals may both say `npm run lab`.

import { closeSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { SetupError, say } from "./steps.mjs";

const pollMs = 200;

function holder(file) {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return 0;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return e.code === "EPERM";
  }
}

function tryLock(file) {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const fd = openSync(file, "wx");
    writeSync(fd, String(process.pid));
    closeSync(fd);
    return true;
  } catch (e) {
    if (e.code === "EEXIST") return false;
    throw new SetupError(
      `Cannot write "${file}": ${e.code}`,
      "The checkout belongs to another user: run this as that user, or as root.",
      { cause: e },
    );
  }
}

/** Runs the work while no other process of this checkout runs its own. A holder that died is no holder. */
export async function withLock(root, work) {
  const file = join(root, "build/.setup/lock");
  let waited = false;
  while (!tryLock(file)) {
    const pid = holder(file);
    if (pid > 0 && !isAlive(pid)) {
      unlinkSync(file);
      continue;
    }
    if (!waited) say(`  waiting for another set-up of this checkout (pid ${pid})`);
    waited = true;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  try {
    return await work();
  } finally {
    unlinkSync(file);
  }
}
