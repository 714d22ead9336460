import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

test("what cannot be written is an error, not success without an answer", () => {
  const full = openSync("/dev/full", "w");
  try {
    const args = [MAIN, "version", "--json", "--run-dir", "/nonexistent"];
    const r = spawnSync(process.execPath, args, { stdio: ["ignore", full, "pipe"], encoding: "utf8" });
    assert.deepEqual([r.status, r.stderr], [1, "twill: Cannot write to standard output: ENOSPC\n"]);
  } finally {
    closeSync(full);
  }
});
