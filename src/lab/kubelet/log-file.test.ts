import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LogFile, parseLog } from "./log-file.ts";

function withLog(work: (log: LogFile) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "twill-log-"));
  const log = new LogFile(join(directory, "deep/er.log"));
  try {
    work(log);
  } finally {
    log.close();
    rmSync(directory, { recursive: true });
  }
}

test("LogFile joins pieces to lines, by stream, and keeps the last one without line feed", () => {
  withLog((log) => {
    log.append("stdout", "on");
    log.append("stderr", "no\n");
    log.append("stdout", "e\ntwo\nthr");
    assert.deepEqual(
      log.lines().map((l) => `${l.stream} ${l.text}`),
      ["stderr no", "stdout one", "stdout two"],
    );
    log.close();
    assert.equal(log.lines().at(-1)?.text, "thr");
    log.append("stdout", "after the end\n");
    assert.equal(log.lines().length, 4);
  });
});

test("LogFile tells followers of every line and of the end", () => {
  withLog((log) => {
    const heard: (string | undefined)[] = [];
    const end = log.follow((line) => heard.push(line?.text));
    log.append("stdout", "a\n");
    end();
    log.append("stdout", "b\n");
    log.follow((line) => heard.push(line?.text));
    log.close();
    log.follow((line) => heard.push(line?.text));
    assert.deepEqual(heard, ["a", undefined, undefined]);
  });
});

test("LogFile stays bounded: one rotation is kept, endless lines are cut", () => {
  withLog((log) => {
    for (let i = 0; i < 4_000; i++) log.append("stdout", `${i} ${"x".repeat(996)}\n`);
    log.append("stdout", "y".repeat(40_000));
    assert.ok(statSync(log.path).size + statSync(`${log.path}.1`).size < 3 << 20);
    const lines = log.lines();
    assert.equal(lines.filter((l) => l.text.startsWith("y")).length, 2);
    assert.ok(lines.some((l) => l.text.startsWith("3999 ")));
    log.remove();
    assert.equal(existsSync(log.path), false);
  });
});

test("parseLog() leaves out what is no line", () => {
  assert.deepEqual(parseLog("?\n1970-01-01T00:00:01.000Z stderr a  b\n"), [
    { timeMs: 1000, stream: "stderr", text: "a  b" },
  ]);
});
