import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { repoRoot } from "../../tools/repo-files.ts";
import { buildPrograms } from "./programs.ts";

const home = mkdtempSync(join(tmpdir(), "twill-home-"));
after(() => rmSync(home, { recursive: true }));
buildPrograms(repoRoot, home);
cpSync(join(repoRoot, "package.json"), join(home, "package.json"));

const main = join(home, "src/cli/main.js");

test("an image's folder has no sources and no packages, but their licences", () => {
  const files = readdirSync(home, { recursive: true, encoding: "utf8" });
  assert.deepEqual(
    files.filter((f) => f.endsWith(".ts") || f.includes("node_modules")),
    [],
  );
  for (const name of ["commander", "pino", "zod"]) assert.ok(files.includes(`licenses/${name}/LICENSE`), name);
});

test("what is kept of them takes one byte a letter", () => {
  const scripts = readdirSync(join(home, "src"), { recursive: true, encoding: "utf8" }).filter((f) =>
    f.endsWith(".js"),
  );
  assert.ok(scripts.length > 2);
  for (const file of scripts) assert.doesNotMatch(readFileSync(join(home, "src", file), "utf8"), /\P{ASCII}/u, file);
});

test("its programs run, and say what those of the checkout say", () => {
  const help = (program: string) => execFileSync(process.execPath, [program, "agent", "--help"], { encoding: "utf8" });
  assert.equal(help(main), help(join(repoRoot, "src/cli/main.ts")));
});

test("what an agent loads is found, and nothing has to remove types", () => {
  const parts = join(home, "src/parts");
  const [agent = ""] = readdirSync(parts).filter((name) => /^agent-\w+\.js$/.test(name));
  const script = `
    const { runAgent } = await import(${JSON.stringify(join(parts, agent))});
    process.stdout.write(typeof runAgent + " " + process.moduleLoadList.some((name) => name.includes("/amaro/")));
  `;
  assert.equal(
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }),
    "function false",
  );
});

test("the plugin's program is beside it, and refuses where no agent has been", () => {
  const offline = join(home, "src/agent/cni/offline-main.js");
  assert.ok(existsSync(offline));
  const { status, stdout } = spawnSync(process.execPath, [offline, join(home, "none.json")], {
    encoding: "utf8",
    env: { CNI_COMMAND: "VERSION", PATH: process.env["PATH"] },
    input: "{}",
  });
  assert.equal(status, 1);
  assert.equal(JSON.parse(stdout).code, 11);
});

test("it has no lab, and says so", () => {
  const asked = spawnSync(process.execPath, [main, "lab", "up"], { encoding: "utf8" });
  assert.notEqual(asked.status, 0);
  assert.match(asked.stderr, /This installation has no lab: "npm run lab" in a checkout/);
  const script = execFileSync(process.execPath, [main, "completion", "bash"], { encoding: "utf8" });
  assert.match(script, /endpoint/);
});
