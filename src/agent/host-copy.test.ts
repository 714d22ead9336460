import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BUILD_ID_FILE, copyHome, hostCopies } from "./host-copy.ts";

const root = mkdtempSync(join(tmpdir(), "twill-host-copy-"));
after(() => rmSync(root, { recursive: true, force: true }));

const home = join(root, "opt/twill");
const host = join(root, "node");
const onHost = join(host, home);

function build(id: string, content: string): void {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(join(home, "bin"), { recursive: true });
  writeFileSync(join(home, "bin/twill"), content, { mode: 0o755 });
  if (id !== "") writeFileSync(join(home, BUILD_ID_FILE), `${id}\n`);
}

test("a copy appears whole under the image's own path; the same build is not copied again", () => {
  build("aaaaaaaaaaaaaaaa", "one");
  const first = copyHome(home, host);
  assert.deepEqual([first.isNew, first.removed], [true, []]);
  assert.equal(readFileSync(join(onHost, "bin/twill"), "utf8"), "one");
  assert.equal(readlinkSync(onHost), "twill-aaaaaaaaaaaa");
  assert.equal(copyHome(home, host).isNew, false);
});

test("an update keeps the copy before it, for calls that run from it, and no more", () => {
  build("bbbbbbbbbbbbbbbb", "two");
  assert.deepEqual(copyHome(home, host).removed, []);
  assert.equal(readFileSync(join(onHost, "bin/twill"), "utf8"), "two");
  build("cccccccccccccccc", "three");
  assert.deepEqual(copyHome(home, host).removed, [`${onHost}-aaaaaaaaaaaa`]);
  assert.deepEqual(readdirSync(join(onHost, "..")).sort(), ["twill", "twill-bbbbbbbbbbbb", "twill-cccccccccccc"]);
});

test("a copy that was cut short is made anew", () => {
  rmSync(`${onHost}-cccccccccccc/${BUILD_ID_FILE}`);
  writeFileSync(`${onHost}-cccccccccccc/bin/twill`, "thr");
  assert.equal(copyHome(home, host).isNew, true);
  assert.equal(readFileSync(join(onHost, "bin/twill"), "utf8"), "three");
});

test("all of it is named for removal, the link first", () => {
  assert.deepEqual(hostCopies(home, host), [onHost, `${onHost}-cccccccccccc`]);
});

test("a checkout is not copied", () => {
  build("", "four");
  assert.throws(() => copyHome(home, host), /has no build-id, so it is not from Twill's image/);
});
