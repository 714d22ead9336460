/** Several processes on one ledger, some of them killed in the middle. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openLedger } from "./open.ts";

const WORKER = fileURLToPath(new URL("./testdata/worker.ts", import.meta.url));
const ROUNDS = 150;

/**
 * Starts a worker, which ends after {@link ROUNDS}; or one that goes on and on, and is killed when it has told of so many rounds,
 * however late that is heard. @returns exit code and signal
 */
async function work(path: string, name: string, killAfter?: number): Promise<[number | null, string | null]> {
  const most = killAfter === undefined ? ROUNDS : Number.MAX_SAFE_INTEGER;
  const child = spawn(process.execPath, [WORKER, path, name, `${most}`], { stdio: ["ignore", "pipe", "inherit"] });
  let rounds = 0;
  child.stdout.on("data", (dots: Buffer) => {
    rounds += dots.length;
    if (killAfter !== undefined && rounds >= killAfter) child.kill("SIGKILL");
  });
  const [code, signal] = await once(child, "close");
  return [code, signal];
}

test("no address is given twice, none is lost, and a killed process blocks nobody", async () => {
  const directory = mkdtempSync(join(tmpdir(), "twill-processes-"));
  const path = join(directory, "ledger.db");
  try {
    const ended = await Promise.all([work(path, "a"), work(path, "b"), work(path, "c", 20), work(path, "d", 60)]);
    const [done, killed] = [
      [0, null],
      [null, "SIGKILL"],
    ];
    assert.deepEqual(ended, [done, done, killed, killed]);
    using ledger = openLedger({ path, bootId: "boot", coolDownMs: 0, lockTimeoutMs: 1_000, monotonicMs: () => 1e15 });
    const endpoints = ledger.endpoints();
    const held = ledger.leases().filter((l) => l.endpoint !== undefined);
    assert.deepEqual(
      held.map((l) => `${l.endpoint} ${l.addr.text}`).sort(),
      endpoints.flatMap((e) => e.addrs.map((a) => `${e.id} ${a.text}`)).sort(),
    );
    assert.equal(new Set(held.map((l) => l.addr.text)).size, held.length);
    for (const name of ["a", "b"])
      assert.equal(endpoints.filter((e) => e.containerId.startsWith(`${name}-`)).length, 5);
    for (const name of ["c", "d"]) {
      const left = endpoints.filter((e) => e.containerId.startsWith(`${name}-`));
      assert.ok(left.length >= 5 && left.length <= 6, `${left.length} of "${name}"`);
      assert.ok(left.filter((e) => e.state === "pending").length <= 1);
    }
    for (const e of endpoints) ledger.remove(e.id);
    assert.deepEqual(ledger.endpoints(), []);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
