/** Rooms of the gate: what a test file finds in one, what it cannot reach, and what is said of what it leaves. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { repoRoot } from "../../tools/repo-files.ts";
import { runInRooms } from "../../tools/rooms.ts";

// Outside of /tmp, which rooms have their own of.
const folder = mkdtempSync(join(repoRoot, "build", "rooms-"));
after(() => rmSync(folder, { recursive: true, force: true }));

// A test file's process is told that it is one: the gate's own is not.
delete process.env["NODE_TEST_CONTEXT"];

const head = `import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
const run = (...argv) => execFileSync(argv[0], argv.slice(1), { encoding: "utf8" });
`;

function file(name: string, body: string): string {
  const path = join(folder, `${name}.test.ts`);
  writeFileSync(path, `${head}test("a", async () => { ${body} });\n`);
  return relative(repoRoot, path);
}

async function inRooms(files: readonly string[], options: { concurrency?: number; isOnline?: boolean } = {}) {
  const lines: string[] = [];
  const result = await runInRooms(files, (l) => lines.push(l), {
    limitMs: 60_000,
    concurrency: 1,
    isOnline: false,
    ...options,
  });
  return { ...result, text: lines.join("\n") };
}

test("a room has a loopback and nothing else, and folders that are empty and its own", async () => {
  writeFileSync(join(tmpdir(), "twill-rooms-outside"), "");
  after(() => rmSync(join(tmpdir(), "twill-rooms-outside")));
  const body = `
    assert.deepEqual(JSON.parse(run("ip", "-json", "link")).map((l) => l.ifname), ["lo"]);
    // The last is what mount(8) keeps.
    assert.deepEqual([readdirSync("/run").filter((n) => n !== "mount"), readdirSync("/tmp")], [["lock"], []]);
    assert.match(run("ip", "-4", "addr", "show", "lo"), /127\\.0\\.0\\.1/);`;
  const { tally, text } = await inRooms([file("looks", body)]);
  assert.deepEqual(tally, { passed: 1, failed: 0, skipped: 0 }, text);
});

test("what a test leaves in its room is a failure that names the file; another file's is not its own", async () => {
  const leaves = file(
    "leaves",
    'run("ip", "netns", "add", "left"); run("ip", "link", "add", "left0", "type", "bridge");',
  );
  const { tally, failures, text } = await inRooms([leaves, file("tidy", "")], { concurrency: 2 });
  assert.equal(tally.passed, 2, text);
  assert.ok(failures.length > 0 && failures.every((f) => f.startsWith(`left behind by ${leaves}: `)), failures.join());
  const things = failures.join("\n");
  assert.match(things, /named network namespace: left\n/);
  assert.match(things, /network link: left0/);
  assert.equal(existsSync("/run/netns/left"), false, "it went with the room");
});

test("files of two rooms run at the same time", async () => {
  const meeting = join(folder, "meeting");
  mkdirSync(meeting);
  const meets = (own: string, other: string) => `
    writeFileSync("${meeting}/${own}", "");
    while (!existsSync("${meeting}/${other}")) await new Promise((r) => setTimeout(r, 5));`;
  const files = [file("first", meets("1", "2")), file("second", meets("2", "1"))];
  const { tally, text } = await inRooms(files, { concurrency: 2 });
  assert.deepEqual(tally, { passed: 2, failed: 0, skipped: 0 }, text);
});

test("a room that breaks down is a file that failed", async () => {
  const body = `const ppid = /PPid:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1];
    process.kill(Number(ppid), "SIGKILL");`;
  const path = file("breaks", body);
  const { tally, failures } = await inRooms([path]);
  assert.deepEqual(tally, { passed: 0, failed: 1, skipped: 0 });
  assert.deepEqual(failures, [`${path} broke down: it ended with SIGKILL`]);
});

test("folders of rooms go with them, and those of killed gates with the next one", async () => {
  const left = mkdtempSync(join(tmpdir(), "twill-room-4194305-"));
  await inRooms([file("well", "")]);
  assert.equal(existsSync(left), false);
  assert.deepEqual(
    readdirSync(tmpdir()).filter((n) => n.startsWith(`twill-room-${process.pid}-`)),
    [],
  );
});
