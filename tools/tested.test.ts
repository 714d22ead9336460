import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCode, untested } from "./tested.ts";

describe("hasCode()", () => {
  const cases: readonly [string, boolean][] = [
    ["export interface A {\n  readonly b: string;\n}\n", false],
    ['import type { A } from "./a.ts";\nexport type B = A | "c";\n', false],
    ["/** Words; more words. */\nexport type B = 1; // and so on\n", false],
    ["export const a = 1;\n", true],
    ["export function a(): void {}\n", true],
    ["interface A {}\nexport class B implements A {}\n", true],
  ];
  for (const [source, wanted] of cases)
    it(`${wanted} for ${JSON.stringify(source)}`, () => assert.equal(hasCode(source), wanted));
});

describe("untested()", () => {
  it("names sources with code that no test leads to", () => {
    const files: Record<string, string> = {
      "src/x/a.ts": 'import { b } from "./b.ts";\nimport { far } from "../y/far.ts";\nexport const a = b + far;',
      "src/x/b.ts": 'import { c } from "./in/c.ts";\nexport const b = c;',
      "src/x/in/c.ts": "export const c = 1;",
      "src/x/types.ts": "export type T = 1;",
      "src/y/far.ts": "export const far = 1;",
      "src/y/lone.ts": "export const lone = 1;",
      "src/x/a.test.ts": 'import { a } from "./a.ts";',
    };
    const sources = Object.keys(files).filter((f) => !f.endsWith(".test.ts"));
    const found = untested(sources, ["src/x/a.test.ts"], (f) => files[f] ?? "");
    assert.deepEqual(found, ["src/y/far.ts", "src/y/lone.ts"]);
  });
});
