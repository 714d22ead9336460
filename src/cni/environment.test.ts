import assert from "node:assert/strict";
import { test } from "node:test";
import { CNI_COMMANDS, readEnvironment } from "./environment.ts";

const WHOLE = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "a1b2.c_d-e",
  CNI_NETNS: "/run/netns/x",
  CNI_IFNAME: "eth0",
  CNI_ARGS: "K=V",
  CNI_PATH: "/opt/cni/bin",
};

function refusal(change: Record<string, string>): string {
  const r = readEnvironment({ ...WHOLE, ...change });
  assert.ok(!r.ok, "the environment was expected to be refused");
  assert.equal(r.error.code, 4);
  return r.error.msg;
}

test("a whole environment is read", () => {
  assert.deepEqual(readEnvironment(WHOLE), {
    ok: true,
    value: { command: "ADD", containerId: "a1b2.c_d-e", netns: "/run/netns/x", ifname: "eth0", args: "K=V" },
  });
});

test("commands need what they need, and no more", () => {
  const needs: Record<string, number> = { ADD: 3, CHECK: 3, DEL: 2, GC: 0, STATUS: 0, VERSION: 0 };
  for (const command of CNI_COMMANDS) {
    const r = readEnvironment({ CNI_COMMAND: command });
    assert.equal(r.ok ? 0 : r.error.msg.split("CNI_").length - 1, needs[command], command);
  }
  assert.ok(readEnvironment({ ...WHOLE, CNI_COMMAND: "DEL", CNI_NETNS: "" }).ok);
});

const REFUSED: readonly [change: Record<string, string>, want: RegExp][] = [
  [{ CNI_COMMAND: "" }, /CNI_COMMAND is missing or empty: ADD, DEL, CHECK, GC, STATUS, VERSION are known/],
  [{ CNI_COMMAND: "add" }, /CNI_COMMAND "add" is unknown/],
  [{ CNI_COMMAND: "constructor" }, /"constructor" is unknown/],
  [{ CNI_CONTAINERID: "-a" }, /CNI_CONTAINERID "-a" is no identifier/],
  [{ CNI_CONTAINERID: "a/b" }, /CNI_CONTAINERID "a\/b" is no identifier/],
  [{ CNI_CONTAINERID: "a".repeat(2000) }, /CNI_CONTAINERID is longer than 1024/],
  [{ CNI_IFNAME: "sixteencharacter" }, /CNI_IFNAME "sixteencharacter" is longer than 15 bytes/],
  [{ CNI_IFNAME: "ääääääää" }, /longer than 15 bytes/],
  [{ CNI_IFNAME: "a b" }, /CNI_IFNAME "a b" is no name/],
  [{ CNI_IFNAME: ".." }, /CNI_IFNAME "\.\." is no name/],
  [{ CNI_IFNAME: "a/b" }, /CNI_IFNAME "a\/b" is no name/],
  [{ CNI_IFNAME: "eth%d" }, /CNI_IFNAME "eth%d" is no name/],
  [{ CNI_IFNAME: "all" }, /CNI_IFNAME "all" is no name/],
  [{ CNI_IFNAME: "default" }, /CNI_IFNAME "default" is no name/],
  [{ CNI_IFNAME: "ü" }, /CNI_IFNAME "ü" has characters that are not printable ASCII/],
  [{ CNI_NETNS: "" }, /CNI_NETNS is missing or empty/],
  [{ CNI_NETNS: "x".repeat(5000) }, /CNI_NETNS is no path/],
  [{ CNI_NETNS: "", CNI_IFNAME: "", CNI_CONTAINERID: "" }, /CNI_CONTAINERID.*; CNI_IFNAME.*; CNI_NETNS/],
];

for (const [change, want] of REFUSED)
  test(`refused: ${want.source.slice(0, 60)}`, () => {
    assert.match(refusal(change), want);
  });
