import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { shouldBeginAnew } from "./warm-start.ts";

const COLD = ["NativeModule internal/deps/amaro/dist/index"];

test("only who had to remove types begins anew, once, and where it helps", () => {
  const cold = { loaded: COLD, cacheDirectory: "/run/cache", env: {} };
  assert.equal(shouldBeginAnew(cold), true);
  assert.equal(shouldBeginAnew({ ...cold, loaded: ["NativeModule fs"] }), false, "the cache had all");
  assert.equal(shouldBeginAnew({ ...cold, cacheDirectory: undefined }), false, "the next start would be the same");
  assert.equal(shouldBeginAnew({ ...cold, env: { TWILL_WARM_START: "1" } }), false, "it has");
});

const SCRIPT = `
  const { beginWarm } = await import(${JSON.stringify(new URL("./warm-start.ts", import.meta.url).href)});
  process.stdout.write(process.pid + " " + process.argv.slice(1).join(",") + " " + process.execArgv[0] + "\\n");
  beginWarm();
  const isWarm = !process.moduleLoadList.some((name) => name.includes("/amaro/"));
  process.stdout.write((isWarm ? "warm" : "cold") + "\\n");
`;

async function lines(cache: string): Promise<string[]> {
  const args = ["--max-semi-space-size=2", "--input-type=module", "-e", SCRIPT, "one", "two"];
  const { TWILL_WARM_START: _, ...rest } = process.env;
  const env = { ...rest, NODE_COMPILE_CACHE: cache };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env });
  return (await text(child.stdout)).trim().split("\n");
}

test("a cold process becomes a warm one of the same number, flags and arguments; a warm one goes on", async () => {
  const cache = mkdtempSync(join(tmpdir(), "twill-cache-"));
  try {
    const [first, again, state] = await lines(cache);
    assert.match(first ?? "", /^\d+ one,two --max-semi-space-size=2$/);
    assert.deepEqual([again, state], [first, "warm"]);
    const second = await lines(cache);
    assert.deepEqual([second.length, second[1]], [2, "warm"]);
  } finally {
    rmSync(cache, { recursive: true });
  }
});
