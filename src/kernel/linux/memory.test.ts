import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { trimMemory } from "./memory.ts";

// In a process of its own, where nobody else allocates. What is kept stands at the end, so that nothing is given back by itself.
const SCRIPT = `
  const { trimMemory } = await import(${JSON.stringify(new URL("./memory.ts", import.meta.url).href)});
  let parts = Array.from({ length: 40_000 }, () => Buffer.allocUnsafeSlow(1500).fill(1));
  const last = Buffer.allocUnsafeSlow(1500).fill(1);
  parts = undefined;
  gc();
  while (process.memoryUsage().arrayBuffers > 10e6) await new Promise((resolve) => setImmediate(resolve));
  const before = process.memoryUsage.rss();
  trimMemory();
  console.log(JSON.stringify({ before, after: process.memoryUsage.rss(), last: last.length }));
`;

test("what was freed goes back to the kernel", async () => {
  const child = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-e", SCRIPT], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { before, after } = JSON.parse(await text(child.stdout)) as { before: number; after: number };
  assert.ok(before - after > 30e6, `${before} bytes before, ${after} after`);
});

test("with nothing to give back nothing happens", () => {
  for (let i = 0; i < 3; i++) assert.equal(trimMemory(), undefined);
});
