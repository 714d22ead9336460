/** The demonstration as a whole: what `npm run lab -- --json` promises. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { COLUMNS, GROUPS } from "../../src/lab/demo/checks.ts";
import { runProcess } from "../../src/lab/run.ts";
import { listLabs } from "../../src/lab/state.ts";

const MAIN = fileURLToPath(new URL("../../src/lab/main.ts", import.meta.url));

test("every check passes between three nodes and six pods, in both families, and nothing stays behind", async () => {
  const before = new Set(listLabs());
  const r = await runProcess([process.execPath, MAIN, "--json"], { timeoutMs: 180_000 });
  const last = r.stdout.trim().split("\n").at(-1) ?? "";
  assert.equal(r.code, 0, `${r.stderr}\n${last}`);
  const result = JSON.parse(last);
  assert.deepEqual(result.failures, []);
  assert.equal(result.failed, 0);
  assert.equal(result.passed, 1152);
  assert.deepEqual([result.nodes, result.pods], [3, 6]);
  for (const g of GROUPS) {
    for (const family of ["IPv4", "IPv6"]) {
      for (const c of COLUMNS) assert.ok(result.matrix[g.key][family][c.key].passed > 0, `${g.key} ${family} ${c.key}`);
    }
  }
  const after = listLabs().filter((n) => n.startsWith("demo-") && !before.has(n));
  assert.deepEqual(after, []);
});
