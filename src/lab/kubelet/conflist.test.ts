import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findNetworkList, parseNetworkList } from "./conflist.ts";

const list = (extra: object) =>
  JSON.stringify({ cniVersion: "1.0.0", name: "net", plugins: [{ type: "a" }], ...extra });

test("parseNetworkList() takes the newest version that both sides speak", () => {
  const version = (extra: object) => {
    const r = parseNetworkList("x.conflist", list(extra));
    return r.ok ? r.value.version : r.error;
  };
  assert.equal(version({}), "1.0.0");
  assert.equal(version({ cniVersions: ["0.4.0", "1.1.0", "9.9.9"] }), "1.1.0");
  assert.match(version({ cniVersion: "9.9.9" }), /cniVersion "9.9.9" is unknown/);
});

test("parseNetworkList() switches off what a version does not have", () => {
  const flags = (cniVersion: string) => {
    const r = parseNetworkList("x.conflist", list({ cniVersion }));
    assert.ok(r.ok);
    return [r.value.disableCheck, r.value.disableGC];
  };
  assert.deepEqual(flags("0.3.1"), [true, true]);
  assert.deepEqual(flags("1.0.0"), [false, true]);
  assert.deepEqual(flags("1.1.0"), [false, false]);
});

test("parseNetworkList() refuses what no runtime would run", () => {
  const bad = [
    "{",
    "[]",
    "{}",
    list({ name: "../x" }),
    list({ plugins: [] }),
    list({ plugins: [{ type: "../sh" }] }),
    list({ plugins: [3] }),
  ];
  for (const text of bad) assert.equal(parseNetworkList("x.conflist", text).ok, false, text);
});

test("parseNetworkList() wraps a single plugin", () => {
  const r = parseNetworkList(
    "x.conf",
    JSON.stringify({ cniVersion: "0.4.0", name: "one", type: "bridge", bridge: "b" }),
  );
  assert.ok(r.ok);
  assert.deepEqual(r.value.plugins, [{ cniVersion: "0.4.0", name: "one", type: "bridge", bridge: "b" }]);
});

test("findNetworkList() takes the first file by name and says when there is none", () => {
  const directory = mkdtempSync(join(tmpdir(), "twill-conflist-"));
  try {
    assert.match(JSON.stringify(findNetworkList(directory)), /No network configuration in .* yet/);
    writeFileSync(join(directory, "20-b.conflist"), list({ name: "b" }));
    writeFileSync(join(directory, "10-a.conflist"), list({ name: "a" }));
    writeFileSync(join(directory, "00-no.txt"), "?");
    const r = findNetworkList(directory);
    assert.equal(r.ok && r.value.name, "a");
    assert.match(JSON.stringify(findNetworkList(join(directory, "gone"))), /Cannot read/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
