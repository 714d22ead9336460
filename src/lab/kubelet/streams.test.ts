import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine } from "./log-file.ts";
import { formatLog, joinCommand } from "./streams.ts";
import { shellQuote } from "./terminal.ts";

const lines: LogLine[] = [1_000, 2_000, 3_000].map((timeMs, i) => ({ timeMs, stream: "stdout", text: `l${i}` }));
const all = { timestamps: false, tailLines: undefined, sinceMs: undefined, limitBytes: undefined };

test("formatLog() selects as kubectl logs asks", () => {
  assert.equal(formatLog(lines, all), "l0\nl1\nl2\n");
  assert.equal(formatLog(lines, { ...all, tailLines: 1 }), "l2\n");
  assert.equal(formatLog(lines, { ...all, tailLines: 0 }), "");
  assert.equal(formatLog(lines, { ...all, sinceMs: 2_000 }), "l1\nl2\n");
  assert.equal(formatLog(lines, { ...all, limitBytes: 4 }), "l0\nl");
  assert.equal(formatLog(lines, { ...all, tailLines: 1, timestamps: true }), "1970-01-01T00:00:03.000Z l2\n");
});

test("shellQuote() keeps every word one word", () => {
  assert.equal(shellQuote("a-b/c"), "a-b/c");
  assert.equal(shellQuote("it's $HOME"), "'it'\\''s $HOME'");
  assert.equal(shellQuote(""), "''");
});

test("joinCommand() wraps a terminal session in script", () => {
  const id = { pid: 7, startTicks: "1" };
  assert.deepEqual(joinCommand(id, ["ls", "a b"], false).slice(-3), ["--", "ls", "a b"]);
  assert.ok(joinCommand(id, ["ls", "a b"], true).includes("exec ls 'a b'"));
});
