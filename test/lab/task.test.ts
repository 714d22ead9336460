/** Commands that are told to end before they have begun. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Box, openBox } from "../../src/lab/box.ts";
import { LogFile } from "../../src/lab/kubelet/log-file.ts";
import { startTask } from "../../src/lab/task.ts";

const TIMES = 20;

let box: Box;

before(async () => {
  box = await openBox({ name: "test-task", setUp: ["mount -t tmpfs tmpfs /run"] });
});
after(() => box?.close());

const start = () =>
  startTask({
    box,
    argv: ["sleep", "1000"],
    env: process.env as Record<string, string>,
    log: new LogFile(`${box.root}/run/task.log`),
  });

test("kill and stop end a command on its way into the namespaces, too", { timeout: 300_000 }, async () => {
  for (let i = 0; i < TIMES; i++) {
    assert.equal((await start().kill()).code, 137);
    assert.equal((await start().stop(60_000)).code, 143);
  }
});
