/** The set-up scripts: plain JavaScript for old Nodes, so they are loaded here without types. */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { repoFiles, repoRoot, repoText } from "./repo-files.ts";

interface Package {
  readonly name: string;
  readonly why: string;
  readonly verbs: readonly string[];
  readonly probe: readonly string[];
}

interface Setup {
  readonly packages: readonly Package[];
  missingPackages(verbs: readonly string[], isThere: (probe: string) => boolean): readonly Package[];
  isThere(probe: string): boolean;
  findProgram(name: string, path?: string): string | undefined;
  staleReason(root: string): string | undefined;
  withLock<T>(root: string, work: () => Promise<T>): Promise<T>;
  run(command: string, args: readonly string[], options: { log: string }): Promise<{ code: number; tail: string }>;
}

const load = async (name: string): Promise<Setup> => (await import(join(repoRoot, "scripts/setup", name))) as Setup;

const folder = (): { path: string } & Disposable => {
  const path = mkdtempSync(join(tmpdir(), "twill-setup-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
};

describe("package table", async () => {
  const { packages, missingPackages } = await load("packages.mjs");

  it("gives a reason and a probe for every package, once", () => {
    assert.equal(new Set(packages.map((p) => p.name)).size, packages.length);
    for (const p of packages) assert.ok(p.why.length > 8 && p.probe.length > 0 && p.verbs.length > 0, p.name);
  });

  it("asks for nothing where everything is found, and for kubectl only to test", () => {
    assert.deepEqual(
      missingPackages(["test"], () => true),
      [],
    );
    const names = (verb: string) => missingPackages([verb], () => false).map((p) => p.name);
    assert.ok(names("test").includes("kubernetes-client"));
    assert.ok(!names("lab").includes("kubernetes-client") && !names("bench").includes("kubernetes-client"));
    assert.ok(!names("lab").includes("clang-14"), "who only runs the lab needs no clang");
  });
});

describe("probes", async () => {
  const { isThere, findProgram } = await load("probe.mjs");
  it("finds programs on PATH, and administrators' ones even where PATH lacks them", () => {
    assert.equal(isThere("sh"), true);
    assert.equal(isThere("no-such-program-anywhere"), false);
    assert.equal(findProgram("sh", "/nowhere"), undefined);
  });
  it("finds files by their absolute path", () => {
    assert.equal(isThere("/proc/self/status"), true);
    assert.equal(isThere("/proc/self/no-such-file"), false);
  });
});

describe("staleReason()", async () => {
  const { staleReason } = await load("npm.mjs");
  const node = `node_modules/node-linux-${process.arch}`;
  const lock = (versions: Record<string, string>) =>
    JSON.stringify({ packages: Object.fromEntries(Object.entries(versions).map(([k, version]) => [k, { version }])) });
  const lay = (root: string, wanted: Record<string, string>, have: Record<string, string> | undefined) => {
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    };
    write("package-lock.json", lock({ "": "0", ...wanted }));
    if (have !== undefined) write("node_modules/.package-lock.json", lock(have));
    write(`${node}/bin/node`, "");
  };
  const both = { "node_modules/a": "1.0.0", [node]: "26.0.0" };

  const cases: readonly [string, Record<string, string> | undefined, string | undefined][] = [
    ["is silent when what is installed is what is locked", both, undefined],
    ["says that nothing is installed", undefined, "node_modules is not there"],
    ["names what has another version", { ...both, "node_modules/a": "0.9.0" }, "node_modules/a should be 1.0.0"],
    ["names what is missing", { [node]: "26.0.0" }, "node_modules/a should be 1.0.0"],
    ["does not mind what is there on top", { ...both, "node_modules/b": "3.0.0" }, undefined],
  ];
  for (const [name, have, wanted] of cases)
    it(name, () => {
      using root = folder();
      lay(root.path, both, have);
      assert.equal(staleReason(root.path), wanted);
    });

  it("is silent about this very checkout, or npm test would not run from it", () =>
    assert.equal(staleReason(repoRoot), undefined));
});

describe("withLock()", async () => {
  const { withLock } = await load("lock.mjs");
  it("lets one work at a time, and the next even when the first threw", async () => {
    using root = folder();
    const order: string[] = [];
    const failing = withLock(root.path, async () => {
      order.push("first in");
      await Promise.resolve();
      order.push("first out");
      throw new Error("Cannot go on");
    });
    const second = withLock(root.path, () => Promise.resolve(order.push("second")));
    await assert.rejects(failing, /Cannot go on/);
    await second;
    assert.deepEqual(order, ["first in", "first out", "second"]);
  });

  it("takes over from a holder that died", async () => {
    using root = folder();
    const dead = spawnSync("true").pid;
    mkdirSync(join(root.path, "build/.setup"), { recursive: true });
    writeFileSync(join(root.path, "build/.setup/lock"), String(dead));
    assert.equal(await withLock(root.path, () => Promise.resolve("in")), "in");
  });
});

describe("run()", async () => {
  const { run } = await load("steps.mjs");
  it("gives the status and the last lines, npm's usage left out", async () => {
    using root = folder();
    const script = "echo why >&2; printf 'npm ERR! Usage:\\nnpm ci\\n' >&2; exit 7";
    const result = await run("sh", ["-c", script], { log: join(root.path, "log") });
    assert.deepEqual(result, { code: 7, tail: "    | why" });
  });
});

describe("run.mjs", () => {
  const start = (...args: string[]) => spawnSync(process.execPath, [join(repoRoot, "scripts/run.mjs"), ...args]);
  it("prints its commands and fails when none is given or it is unknown", () => {
    for (const args of [[], ["fly"]]) {
      const ended = start(...args);
      assert.equal(ended.status, 2);
      assert.match(ended.stderr.toString(), /Usage: node scripts\/run\.mjs COMMAND/);
    }
  });

  it("parses without anything newer than Node 18 knows", () => {
    const scripts = repoFiles().filter((f) => /^(scripts|native|bpf)\/.*\.mjs$/.test(f));
    assert.ok(scripts.length > 5);
    for (const f of scripts) {
      execFileSync(process.execPath, ["--check", join(repoRoot, f)]);
      assert.doesNotMatch(
        repoText(f),
        /\b(using |Object\.groupBy|Promise\.withResolvers|\.toSorted\(|\.toReversed\()/,
        f,
      );
    }
  });
});
