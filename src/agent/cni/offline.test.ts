import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { makePool } from "../../ipam/pool.ts";
import { addr } from "../../net/addr.ts";
import { prefix } from "../../net/prefix.ts";
import { rangeOf } from "../../net/range.ts";
import { offlineArgv, writeOfflineFiles } from "./offline-files.ts";
import { formatOfflineSettings, parseOfflineSettings } from "./offline-settings.ts";

const directory = mkdtempSync(join(tmpdir(), "twill-offline-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const SETTINGS = {
  runDirectory: directory,
  pinDirectory: join(directory, "no-pins"),
  coolDownMs: 30_000,
  mtuBytes: 1450,
  openClasses: { ingress: 7, egress: 8 },
  pools: [
    makePool("10.244.1.0/24", prefix("10.244.1.0/24"), [rangeOf(addr("10.244.1.9"), addr("10.244.1.20"))]),
    makePool("fd00:10:244:1::/64", prefix("fd00:10:244:1::/64")),
  ],
};

/** Starts the offline program as the shim does. */
function call(command: string, stdin: string, settings = join(directory, "offline.json")) {
  const [node = "", ...args] = offlineArgv(directory);
  const env = { CNI_COMMAND: command, CNI_CONTAINERID: "a", CNI_IFNAME: "eth0", CNI_NETNS: "/run/netns/none-such" };
  return spawnSync(node, [...args.slice(0, 2), settings, ...args.slice(3)], { env, input: stdin, encoding: "utf8" });
}

test("settings survive the file, with what is reserved", () => {
  const back = parseOfflineSettings(formatOfflineSettings(SETTINGS));
  assert.ok(back.ok);
  assert.deepEqual(
    back.value.pools.map((p) => p.ranges),
    SETTINGS.pools.map((p) => p.ranges),
  );
  assert.deepEqual({ ...back.value, pools: [] }, { ...SETTINGS, pools: [] });
});

test("files are written once, for root only", () => {
  assert.equal(writeOfflineFiles(SETTINGS), true);
  assert.equal(writeOfflineFiles(SETTINGS), false);
  assert.equal(writeOfflineFiles({ ...SETTINGS, mtuBytes: 1400 }), true);
  assert.equal(writeOfflineFiles(SETTINGS), true);
  for (const name of ["offline.argv", "offline.json"])
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  assert.deepEqual(
    readFileSync(join(directory, "offline.argv"), "utf8").split("\n").slice(0, -1),
    offlineArgv(directory),
  );
  assert.throws(() => writeOfflineFiles(SETTINGS, ["/bin/a\nb"]), RangeError);
});

test("other files are refused, whatever they hold", () => {
  for (const text of ["", "{", "[]", "{}", formatOfflineSettings(SETTINGS).replace('"version": 2', '"version": 3')])
    assert.equal(parseOfflineSettings(text).ok, false, text);
  const swapped = formatOfflineSettings(SETTINGS).replace('"first": "10.244.1.9"', '"first": "10.244.1.99"');
  assert.equal(parseOfflineSettings(swapped).ok, false);
  fc.assert(fc.property(fc.json(), (text) => typeof parseOfflineSettings(text).ok === "boolean"));
});

test("the program answers VERSION, a broken call, and a namespace that is missing", () => {
  writeOfflineFiles(SETTINGS);
  const config = JSON.stringify({ cniVersion: "1.0.0", name: "twill", type: "twill" });
  const version = call("VERSION", '{"cniVersion":"0.4.0"}');
  assert.deepEqual([version.status, version.stderr], [0, ""]);
  assert.equal(JSON.parse(version.stdout).cniVersion, "0.4.0");
  const broken = call("ADD", "{");
  assert.deepEqual([broken.status, JSON.parse(broken.stdout).code], [1, 6]);
  const missing = call("ADD", config);
  assert.match(missing.stdout, /"code":3,"msg":.*network namespace \\"\/run\/netns\/none-such\\" does not exist/);
});

test("without readable settings it says to try later", () => {
  const missing = call("ADD", "{}", join(directory, "none-such.json"));
  assert.equal(JSON.parse(missing.stdout).code, 11);
  const other = join(directory, "other.json");
  writeFileSync(other, '{"version":99}');
  assert.match(JSON.parse(call("ADD", "{}", other).stdout).msg, /of another version; start the agent/);
  const told = (command: string, cniVersion: string) => {
    const r = JSON.parse(call(command, JSON.stringify({ cniVersion, name: "twill", type: "twill" }), other).stdout);
    return [r.cniVersion, r.code];
  };
  assert.deepEqual(told("ADD", "0.4.0"), ["0.4.0", 11], "in the caller's version");
  assert.deepEqual(told("STATUS", "1.1.0"), ["1.1.0", 50], "STATUS answers that ADD would fail");
});
