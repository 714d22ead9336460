/** An addon that was built before an update of the sources is refused in words, not by a function that it has not. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ADDON_SOURCES } from "./gen/addon-sources.ts";
import { homeFile } from "./home.ts";

const BUILT = homeFile("build/twill.node");
const LOAD = `import(${JSON.stringify(new URL("addon.ts", import.meta.url).href)}).then((m) => m.loadAddon())`;

/** What loading says, on standard error. */
function load(path: string): string {
  const env = { ...process.env, TWILL_ADDON: path };
  return spawnSync(process.execPath, ["--input-type=module", "-e", LOAD], { env, encoding: "utf8" }).stderr;
}

test("an addon of other sources is refused, and it is said how to get the right one", (t) => {
  if (!existsSync(BUILT)) return t.skip(`needs the addon, and "${BUILT}" is not there`);
  const directory = mkdtempSync(join(tmpdir(), "twill-addon-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const stale = readFileSync(BUILT);
  const at = stale.indexOf(ADDON_SOURCES);
  assert.ok(at > 0, `${BUILT} is not built from ${ADDON_SOURCES}`);
  stale.write("0123456789abcdef", at);
  const path = join(directory, "twill.node");
  writeFileSync(path, stale);
  const said = load(path);
  assert.match(said, /Cannot use the addon .* is built from other sources \(0123456789abcdef\)/);
  assert.match(said, /node scripts\/run\.mjs setup would build it anew/);
  assert.equal(load(BUILT), "");
});
