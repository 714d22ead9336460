import assert from "node:assert/strict";
import { test } from "node:test";
import { unusedExports } from "./unused-exports.ts";

const FILES: Readonly<Record<string, readonly string[]>> = {
  "a.ts": [
    "/** Says what {@link lost} is. */",
    "export function used(): void {}",
    "export async function lost() {}",
    "export const LOST = 1;",
    "export class Kept {}",
    "export function* each() {}",
    "export interface Shape {}",
    "const own = LOST;",
  ],
  "b.ts": [
    "// lost is named here in words only.",
    'import { used } from "./a.ts";',
    'const { Kept, each } = await import("./a.ts");',
  ],
};

test("what is exported and named by no other file's code is told, types aside", () => {
  assert.deepEqual(
    unusedExports(Object.keys(FILES), (f) => (FILES[f] ?? []).join("\n")),
    ["a.ts: lost", "a.ts: LOST"],
  );
});
