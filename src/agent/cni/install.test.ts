import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { installCni, installedFiles, uninstallCni } from "./install.ts";
import { writeWhole } from "./whole-file.ts";

const top = mkdtempSync(join(tmpdir(), "twill-install-"));
after(() => rmSync(top, { recursive: true, force: true }));
let serial = 0;

function place(shim = "shim 1") {
  const root = join(top, `${serial++}`);
  mkdirSync(root);
  writeFileSync(join(root, "shim"), shim);
  return {
    shim: join(root, "shim"),
    binDirectory: join(root, "bin"),
    confDirectory: join(root, "net.d"),
    runDirectory: "/run/twill",
    networkName: "pods",
    hasPodsOf: (_beforeMs: number): boolean => false,
  };
}

function plugin(directory: string, name: string, answer: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), `#!/bin/sh\n${answer}\n`, { mode: 0o755 });
}

const conflistOf = (p: ReturnType<typeof place>) =>
  JSON.parse(readFileSync(join(p.confDirectory, "10-twill.conflist"), "utf8"));
const types = (p: ReturnType<typeof place>) => conflistOf(p).plugins.map((x: { type: string }) => x.type);

test("an empty node gets binaries, then the configuration, and nothing is written twice", async () => {
  const p = place();
  const done = await installCni(p);
  assert.deepEqual(done, {
    conflist: join(p.confDirectory, "10-twill.conflist"),
    chained: [],
    written: [
      join(p.binDirectory, "loopback"),
      join(p.binDirectory, "twill"),
      join(p.confDirectory, "10-twill.conflist"),
    ],
    shadowedBy: [],
  });
  assert.equal(statSync(join(p.binDirectory, "twill")).mode & 0o777, 0o755);
  assert.equal(conflistOf(p).name, "pods");
  assert.deepEqual((await installCni(p)).written, []);
  assert.deepEqual(readdirSync(p.binDirectory).sort(), ["loopback", "twill"]);
  assert.deepEqual(readdirSync(p.confDirectory), ["10-twill.conflist"]);
});

test("an upgrade renews both binaries, and somebody else's loopback stays", async () => {
  const p = place();
  await installCni(p);
  writeFileSync(p.shim, "shim 2");
  assert.deepEqual((await installCni(p)).written, [join(p.binDirectory, "loopback"), join(p.binDirectory, "twill")]);
  writeFileSync(join(p.binDirectory, "loopback"), "another's");
  writeFileSync(p.shim, "shim 3");
  assert.deepEqual((await installCni(p)).written, [join(p.binDirectory, "twill")]);
  assert.equal(readFileSync(join(p.binDirectory, "loopback"), "utf8"), "another's");
});

const PORTMAP = `echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'`;

test("nothing is chained: Twill limits pods and opens their ports by itself", async () => {
  const p = { ...place(), hasPodsOf: () => true };
  plugin(p.binDirectory, "portmap", PORTMAP);
  plugin(p.binDirectory, "bandwidth", `echo '{"supportedVersions":["1.0.0","1.1.0"]}'`);
  assert.deepEqual((await installCni(p)).chained, []);
  assert.deepEqual(types(p), ["twill"]);
});

/** What versions before host ports wrote. */
function writeOldList(p: ReturnType<typeof place>): void {
  mkdirSync(p.confDirectory, { recursive: true });
  const plugins = [
    { type: "twill", capabilities: { mac: true } },
    { type: "portmap", snat: true, capabilities: { portMappings: true } },
  ];
  writeFileSync(join(p.confDirectory, "10-twill.conflist"), JSON.stringify({ cniVersion: "1.0.0", plugins }));
}

test("what an earlier version chained stays for as long as pods that came with it", async () => {
  const asked: number[] = [];
  let hasPods = true;
  const p = {
    ...place(),
    hasPodsOf(beforeMs: number) {
      asked.push(beforeMs);
      return hasPods;
    },
  };
  plugin(p.binDirectory, "portmap", PORTMAP);
  writeOldList(p);
  assert.deepEqual((await installCni(p)).chained, ["portmap"]);
  assert.deepEqual(asked, [Number.POSITIVE_INFINITY], "any pod may have come with it");
  assert.deepEqual(conflistOf(p).plugins.at(-1), { type: "portmap", snat: true, capabilities: { portMappings: true } });
  assert.deepEqual(conflistOf(p).cniVersions, ["0.4.0", "1.0.0"]);
  assert.deepEqual((await installCni(p)).written, []);
  const sinceMs = statSync(join(p.confDirectory, "10-twill.conflist")).mtimeMs;
  assert.equal(asked[1], sinceMs + 60_000, "runtimes need not have seen the list at once");
  hasPods = false;
  assert.deepEqual((await installCni(p)).chained, []);
  assert.deepEqual(types(p), ["twill"]);
  hasPods = true;
  assert.deepEqual((await installCni(p)).written, [], "once gone it does not come back");
});

test("a plugin that does not work any more is not listed, whoever came with it", async () => {
  const p = { ...place(), hasPodsOf: () => true };
  writeOldList(p);
  plugin(p.binDirectory, "portmap", "exit 1");
  await installCni(p);
  assert.deepEqual(types(p), ["twill"]);
});

test("networks that come before Twill's are named", async () => {
  const p = place();
  mkdirSync(p.confDirectory);
  for (const name of ["05-cilium.conflist", "10-flannel.conf", "99-loopback.conf", "00-notes.txt"])
    writeFileSync(join(p.confDirectory, name), "{}");
  assert.deepEqual((await installCni(p)).shadowedBy, ["05-cilium.conflist", "10-flannel.conf"]);
});

test("another run directory is told to the shim, the default one is not", async () => {
  const p = { ...place(), runDirectory: "/run/other" };
  await installCni(p);
  const file = join(p.binDirectory, "twill.socket");
  assert.equal(readFileSync(file, "utf8"), "/run/other/agent.sock\n");
  await installCni({ ...p, runDirectory: "/run/twill" });
  assert.deepEqual(readdirSync(p.binDirectory).sort(), ["loopback", "twill"]);
});

test("uninstalling takes what is Twill's, and only that, twice", async () => {
  const p = { ...place(), runDirectory: "/run/other" };
  await installCni(p);
  plugin(p.binDirectory, "portmap", "exit 1");
  const files = installedFiles(p);
  assert.equal(files[0], join(p.confDirectory, "10-twill.conflist"));
  assert.equal(files.length, 4);
  assert.deepEqual(uninstallCni(p), files);
  assert.deepEqual(readdirSync(p.binDirectory), ["portmap"]);
  assert.deepEqual(uninstallCni(p), []);
  await installCni(p);
  writeFileSync(join(p.binDirectory, "loopback"), "another's");
  assert.equal(uninstallCni(p).includes(join(p.binDirectory, "loopback")), false);
});

test("a write that fails leaves the old file and nothing beside it", () => {
  const directory = join(top, "whole");
  mkdirSync(directory);
  const path = join(directory, "file");
  assert.equal(writeWhole(path, "one", 0o600), true);
  assert.equal(writeWhole(path, "one", 0o600), false);
  mkdirSync(join(directory, "occupied/below"), { recursive: true });
  assert.throws(() => writeWhole(join(directory, "occupied"), "two", 0o600));
  assert.deepEqual(readdirSync(directory).sort(), ["file", "occupied"]);
  assert.equal(readFileSync(path, "utf8"), "one");
});
