/** House rules that no compiler and no linter knows. Each failure names the file and what to do. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layers } from "../tools/layers.ts";
import { repoFiles, repoText } from "../tools/repo-files.ts";
import { untested } from "../tools/tested.ts";
import { unusedExports } from "../tools/unused-exports.ts";

const files = repoFiles();
const isGenerated = (f: string) => /(^|\/)gen\//.test(f);
const isTest = (f: string) => f.endsWith(".test.ts");
const isText = (f: string) => /\.(ts|mjs|c|h|md|json|jsonc|yaml|yml|sh|txt)$/.test(f) || f === ".ci/run";
const code = files.filter((f) => /\.(ts|mjs|c|h)$/.test(f) && !isGenerated(f));
const texts = files.filter((f) => isText(f) && !isGenerated(f) && f !== "package-lock.json");
const lineCount = (f: string) => repoText(f).split("\n").length - 1;

/** A word that this very file must not contain in one piece. */
const word = (...pieces: string[]) => pieces.join("");

/** `file:line: text` of every line that matches, this file left out. */
function grep(where: readonly string[], pattern: RegExp): string[] {
  return where
    .filter((f) => f !== "test/tidy.test.ts")
    .flatMap((f) =>
      repoText(f)
        .split("\n")
        .flatMap((line, i) => (pattern.test(line) ? [`${f}:${i + 1}: ${line.trim().slice(0, 120)}`] : [])),
    );
}

it("the scan sees the repository", () => {
  assert.ok(code.length > 50, `only ${code.length} files of code`);
  assert.ok(texts.includes("README.md") && texts.includes("package.json"));
});

describe("size", () => {
  it("no file of code is longer than 500 lines", () => {
    assert.deepEqual(
      code.filter((f) => lineCount(f) > 500).map((f) => `${f}: ${lineCount(f)} lines`),
      [],
    );
  });

  it("half of the source files have less than 120 lines", () => {
    const sizes = code.filter((f) => f.startsWith("src/") && !isTest(f)).map(lineCount);
    const median = sizes.sort((a, b) => a - b)[Math.floor(sizes.length / 2)];
    assert.ok(median !== undefined && median < 120, `the median is ${median}`);
  });

  it("ARCHITECTURE.md has at most 200 lines", () => assert.ok(lineCount("ARCHITECTURE.md") <= 200));
});

describe("words", () => {
  it("every file of code opens with a comment that says what it is", () => {
    const opens = /^(#![^\n]*\n)?(\/\*|\/\/)/;
    assert.deepEqual(
      code.filter((f) => !isTest(f) && !opens.test(repoText(f))),
      [],
    );
  });

  it("nothing is left for later in a comment", () => {
    const later = new RegExp(`\\b(${word("TO", "DO")}|${word("FIX", "ME")}|${word("XX", "X")}|${word("HA", "CK")})\\b`);
    assert.deepEqual(grep(texts, later), []);
  });

  it("no path of one machine and no host of a registry is written down", () => {
    assert.deepEqual(grep(texts, /(^|[\s"'`(=])\/(work|home)\/|https?:\/\/(registry|deb|proxy)\./), []);
    assert.ok(!repoText("package-lock.json").includes('"resolved"'), "package-lock.json names a registry's host");
  });

  it("no tool that helped to write it is named", () => {
    const names = [word("clau", "de"), word("anth", "ropic"), word("chat", "gpt"), word("copi", "lot")].join("|");
    assert.deepEqual(grep(texts, new RegExp(`\\b(${names})\\b`, "i")), []);
  });

  it("thrown messages begin with a capital or a quoted value and end without a full stop", () => {
    const begins = /new (?:Type|Range|Syntax)?Error\(\s*["`][a-z]/;
    const ends = /new (?:Type|Range|Syntax)?Error\(\s*(["`])[^"`]*\.\1/;
    // What kubectl prints to its user is worded as Kubernetes words it.
    const speaksKubernetes = /^src\/(cluster\/embedded|lab\/kubelet)\//;
    const sources = code.filter((f) => f.startsWith("src/") && !isTest(f) && !speaksKubernetes.test(f));
    assert.deepEqual([...grep(sources, begins), ...grep(sources, ends)], []);
  });
});

it("what only its own file uses is not exported, and what nobody uses is not there", () => {
  assert.deepEqual(
    unusedExports(
      code.filter((f) => /\.(ts|mjs)$/.test(f)),
      repoText,
    ),
    [],
  );
});

describe("licences", () => {
  it("every eBPF source carries both licences in its first line", () => {
    const header = /^(\/\/|\/\*) SPDX-License-Identifier: \(BSD-2-Clause OR GPL-2\.0-only\)/;
    const ebpf = code.filter((f) => f.startsWith("bpf/") && /\.[ch]$/.test(f));
    assert.ok(ebpf.length > 0, "there are no eBPF sources");
    assert.deepEqual(
      ebpf.filter((f) => !header.test(repoText(f))),
      [],
    );
  });
});

describe("map of the code", () => {
  const headings = repoText("ARCHITECTURE.md")
    .split("\n")
    .filter((l) => l.startsWith("### "));
  const folders = [...new Set(files.map((f) => /^src\/([^/]+)\//.exec(f)?.[1]))].filter((f) => f !== undefined);

  for (const folder of folders) {
    it(`ARCHITECTURE.md has exactly one heading for src/${folder}`, () => {
      assert.equal(headings.filter((h) => h.includes(`\`src/${folder}\``)).length, 1);
    });
    it(`src/${folder} has a rank`, () => assert.ok(layers.some((l) => l.folder === folder)));
  }
});

/** Sources that no test imports since they run as processes, and the tests that start them. */
const startedBy: readonly (readonly [string, string])[] = [
  ["src/cli/", "test/agent/cli.test.ts"],
  ["src/agent/", "test/agent/drift.test.ts"],
  ["src/cluster/open-source.ts", "test/agent/standalone.test.ts"],
  ["src/kernel/linux/device-watch.ts", "test/agent/drift.test.ts"],
  ["src/lab/", "test/lab/command.test.ts"],
  ["src/ledger/testdata/", "src/ledger/processes.test.ts"],
];

describe("tests", () => {
  it("every source with code is led to by a test, or runs in a process that a test starts", () => {
    const sources = code.filter((f) => f.startsWith("src/") && f.endsWith(".ts") && !isTest(f));
    const alone = untested(sources, files.filter(isTest), repoText);
    assert.deepEqual(
      alone.filter((f) => !startedBy.some(([path]) => f.startsWith(path))),
      [],
    );
    for (const [, test] of startedBy) assert.ok(files.includes(test), `${test} is not there`);
  });

  it("a test that does not run gives its reason", () => {
    const silent = /\b(it|test|describe)\.(skip|todo|only)\(|\b(skip|todo|only): true\b/;
    assert.deepEqual(grep(code.filter(isTest), silent), []);
  });

  it("no test waits for a fixed time", () => {
    const sleeps = /\bawait (sleep|delay|setTimeout)\((\d|[A-Z])|setTimeout\(resolve, \d{3,}/;
    assert.deepEqual(grep(code.filter(isTest), sleeps), []);
  });
});
