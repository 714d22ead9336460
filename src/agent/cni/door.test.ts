import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CniDoor } from "./door.ts";

const top = mkdtempSync(join(tmpdir(), "twill-door-"));
after(() => rmSync(top, { recursive: true, force: true }));

function place() {
  const directory = mkdtempSync(join(top, "run-"));
  const path = join(directory, "agent.sock");
  const door = new CniDoor({ path, handle: () => assert.fail("nobody calls") });
  return { directory, path, door };
}

test("on a fresh boot the socket opens at once", async () => {
  const { path, door } = place();
  await using _ = door;
  await door.openUnlessServed();
  assert.equal(existsSync(path), true);
});

test("while the offline program can serve, it opens at the first readiness, once", async () => {
  const { path, directory, door } = place();
  await using _ = door;
  writeFileSync(join(directory, "offline.argv"), "/bin/true\n");
  await door.openUnlessServed();
  assert.equal(existsSync(path), false);
  assert.equal(door.counters().connections, 0);
  await Promise.all([door.open(), door.open()]);
  assert.equal(existsSync(path), true);
});

test("ending closes it, and nothing opens it again", async () => {
  const { path, door } = place();
  const opening = door.open();
  await door[Symbol.asyncDispose]();
  await opening;
  assert.equal(existsSync(path), false);
  await door.open();
  assert.equal(existsSync(path), false);
});

test("an agent that answers there already is an error, and it can be tried again", async () => {
  const { path, door } = place();
  const other = new CniDoor({ path, handle: () => assert.fail("nobody calls") });
  await door.open();
  await assert.rejects(other.openUnlessServed(), { code: "SOCKET_IN_USE" });
  await assert.rejects(other.open(), { code: "SOCKET_IN_USE" });
  await door[Symbol.asyncDispose]();
  await other.open();
  await other[Symbol.asyncDispose]();
});
