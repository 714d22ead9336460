/** A ledger that cannot be used: every command gets the answer that it can use, and the file stays as it is. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { openLedger } from "../../ledger/open.ts";
import { handleCall } from "./handler.ts";
import type { NodeContext } from "./node-context.ts";

const directory = mkdtempSync(join(tmpdir(), "twill-refused-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function open(path: string) {
  return openLedger({ path, bootId: "b", coolDownMs: 0, lockTimeoutMs: 50, monotonicMs: () => 0 });
}

const DAMAGES: readonly [name: string, code: number, want: RegExp, make: (path: string) => void][] = [
  [
    "damaged",
    105,
    /file is not a database\. Nothing was changed in it\. Drain the node/,
    (path) => writeFileSync(path, "x".repeat(5000)),
  ],
  [
    "newer",
    105,
    /its layout is version 7, and this Twill knows 2\. Start the newer Twill/,
    (path) => {
      open(path)[Symbol.dispose]();
      const db = new DatabaseSync(path);
      db.exec("PRAGMA journal_mode = DELETE; PRAGMA user_version = 7");
      db.close();
    },
  ],
];

for (const [name, code, want, make] of DAMAGES)
  test(`a ledger that is ${name}`, () => {
    const path = join(directory, `${name}.db`);
    make(path);
    const before = readFileSync(path);
    const context = (): NodeContext => {
      open(path);
      assert.fail("the ledger was opened");
    };
    const call = (CNI_COMMAND: string, config: object = {}) => {
      const env = { CNI_COMMAND, CNI_CONTAINERID: "a", CNI_IFNAME: "eth0", CNI_NETNS: "/run/netns/a" };
      const stdin = JSON.stringify({ cniVersion: "1.1.0", name: "twill", type: "twill", ...config });
      return handleCall(context, { env, stdin }).response;
    };
    for (const command of ["ADD", "DEL", "CHECK", "GC"]) {
      const { exitCode, stdout } = call(command, { prevResult: {}, "cni.dev/valid-attachments": [] });
      assert.equal(exitCode, 1, command);
      const error = JSON.parse(stdout);
      assert.equal(error.code, code, command);
      assert.match(error.msg, want, command);
    }
    const status = JSON.parse(call("STATUS").stdout);
    assert.equal(status.code, 50);
    assert.match(status.msg, want);
    assert.equal(call("VERSION").exitCode, 0);
    assert.deepEqual(readFileSync(path), before);
  });

test("a ledger that another process holds is tried again later", () => {
  const path = join(directory, "busy.db");
  using holder = open(path);
  using waiter = open(path);
  const context = () => ({ ledger: waiter }) as NodeContext;
  const env = { CNI_COMMAND: "DEL", CNI_CONTAINERID: "a", CNI_IFNAME: "eth0" };
  const { stdout } = holder.exclusive(
    () => handleCall(context, { env, stdin: '{"cniVersion":"1.0.0","name":"n","type":"twill"}' }).response,
  );
  assert.deepEqual(
    [JSON.parse(stdout).code, JSON.parse(stdout).msg],
    [11, `Cannot lock ledger "${path}.lock": another process of Twill holds it`],
  );
});
