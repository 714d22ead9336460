import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildStopwatch, parseLaps } from "./stopwatch.ts";

test("a plugin is started under its name, with its words and its end, and its time is noted", () => {
  const directory = mkdtempSync(join(tmpdir(), "twill-stopwatch-"));
  try {
    const plugins = join(directory, "plugins");
    const own = join(directory, "own");
    const log = join(directory, "log");
    for (const d of [plugins, own]) mkdirSync(d);
    writeFileSync(join(plugins, "quick"), '#!/bin/sh\necho "$CNI_PATH $(cat)"\n');
    writeFileSync(join(plugins, "slow"), "#!/bin/sh\nsleep 0.2\nexit 3\n");
    for (const name of ["quick", "slow"]) chmodSync(join(plugins, name), 0o755);
    buildStopwatch(join(own, "quick"), { log, plugins });
    cpSync(join(own, "quick"), join(own, "slow"));
    const call = (name: string, command: string) =>
      spawnSync(join(own, name), { input: "hello", env: { ...process.env, CNI_COMMAND: command, CNI_PATH: own } });
    assert.equal(call("quick", "ADD").stdout.toString(), `${plugins} hello\n`);
    assert.equal(call("slow", "DEL").status, 3);
    const laps = parseLaps(readFileSync(log, "utf8"));
    assert.deepEqual(
      laps.map((l) => [l.plugin, l.command, l.status]),
      [
        ["quick", "ADD", 0],
        ["slow", "DEL", 3],
      ],
    );
    assert.ok((laps[1]?.milliseconds ?? 0) >= 200, `${laps[1]?.milliseconds} ms`);
    assert.ok((laps[0]?.milliseconds ?? 0) > 0);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a damaged line is refused", () => {
  assert.deepEqual(parseLaps(""), []);
  for (const text of ["twill ADD 0\n", "twill ADD x 12\n", "twill ADD 0 12 13\n"])
    assert.throws(() => parseLaps(text), SyntaxError);
});
