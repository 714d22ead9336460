/** The layer table holds, and the scan behind it sees what it should. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatViolation, importSpecifiers, judgeFile, layers, resolveSpecifier } from "../tools/layers.ts";
import { repoFiles, repoText } from "../tools/repo-files.ts";

describe("layer table", () => {
  it("holds for every source file", () => {
    const files = repoFiles().filter((f) => f.startsWith("src/") && f.endsWith(".ts"));
    assert.ok(files.length > 5, "the scan found next to nothing");
    assert.deepEqual(files.flatMap((f) => judgeFile(f, repoText(f))).map(formatViolation), []);
  });

  it("is the list that the pure tsconfig compiles", () => {
    const config = JSON.parse(repoText("tsconfig.pure.json")) as { include: string[] };
    assert.deepEqual(
      [...config.include].sort(),
      layers
        .filter((l) => l.pure)
        .map((l) => `src/${l.folder}`)
        .sort(),
    );
  });

  it("never lets a pure folder stand above one that is not", () => {
    const highestPure = Math.max(...layers.filter((l) => l.pure).map((l) => l.rank));
    const lowestOther = Math.min(...layers.filter((l) => !l.pure).map((l) => l.rank));
    assert.ok(highestPure < lowestOther);
  });
});

describe("importSpecifiers()", () => {
  const cases: readonly [string, string[]][] = [
    ['import { a } from "./a.ts";', ["./a.ts"]],
    ['import type { A } from "../net/a.ts";', ["../net/a.ts"]],
    ['import {\n  a,\n  type B,\n} from "./a.ts";', ["./a.ts"]],
    ['export { a } from "./a.ts";', ["./a.ts"]],
    ['import "./side.ts";', ["./side.ts"]],
    ['const m = await import("./late.ts");', ["./late.ts"]],
    ['// import { a } from "./a.ts";', []],
    ['/* import { a } from "./a.ts"; */', []],
    ['const text = "from nowhere";', []],
  ];
  for (const [source, wanted] of cases)
    it(`reads ${JSON.stringify(source)}`, () => assert.deepEqual(importSpecifiers(source), wanted));
});

describe("judgeFile()", () => {
  const cases: readonly [string, string, string, RegExp | undefined][] = [
    ["lower rank", "src/net/x.ts", 'import { a } from "../base/a.ts";', undefined],
    ["own folder", "src/net/gen/x.ts", 'import { a } from "../a.ts";', undefined],
    ["higher rank", "src/base/x.ts", 'import type { A } from "../net/a.ts";', /^base → net: rank 0/],
    ["sibling", "src/ipam/x.ts", 'import { a } from "../policy/a.ts";', /^ipam → policy: siblings/],
    ["Node in a pure folder", "src/plan/x.ts", 'import { a } from "node:fs";', /^plan → node:fs: a pure folder/],
    ["node:test in a pure test", "src/plan/x.test.ts", 'import { it } from "node:test";', undefined],
    ["Node elsewhere", "src/agent/x.ts", 'import { a } from "node:fs";', undefined],
    ["out of src", "src/agent/x.ts", 'import { a } from "../../tools/a.ts";', /the product imports nothing outside/],
    ["the addon", "src/agent/x.ts", 'require("../../build/twill.node");', /only src\/kernel\/linux\/ may load/],
    ["the addon at its place", "src/kernel/linux/x.ts", 'require("../../../build/twill.node");', undefined],
    ["unknown folder", "src/magic/x.ts", "", /has no rank/],
  ];
  for (const [name, file, source, wanted] of cases)
    it(`judges ${name}`, () => {
      const found = judgeFile(file, source).map(formatViolation);
      if (wanted === undefined) assert.deepEqual(found, []);
      else {
        assert.equal(found.length, 1);
        assert.match(found[0]!, wanted);
      }
    });
});

describe("resolveSpecifier()", () => {
  it("walks up and down", () => {
    assert.equal(resolveSpecifier("src/net/gen/x.ts", "../../base/y.ts"), "src/base/y.ts");
    assert.equal(resolveSpecifier("src/net/x.ts", "./y.ts"), "src/net/y.ts");
  });
});
