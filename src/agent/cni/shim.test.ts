/** The built shim against a real server, a dead one, an offline program and nothing at all. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { CNI_VERSIONS } from "../../cni/version.ts";
import { FakeNode, NOTHING_LEFT } from "./fake-node.ts";
import { type Handled, handleCall } from "./handler.ts";
import { type CniServer, type CniServerOptions, listenCni } from "./server.ts";
import { encodeResponse, type ShimRequest } from "./shim-frame.ts";

const SHIM = new URL("../../../build/twill-cni", import.meta.url).pathname;
const skip = existsSync(SHIM) ? false : `"${SHIM}" is not built: npm run build would build it`;
const directory = mkdtempSync(join(tmpdir(), "twill-shim-"));
after(() => rmSync(directory, { recursive: true, force: true }));
let serial = 0;

/** A fresh path of a socket in a directory of its own. */
function newSocket(): string {
  const own = join(directory, `${serial++}`);
  mkdirSync(own);
  return join(own, "agent.sock");
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(socket: string, env: Record<string, string>, stdin: string, shim = SHIM): Promise<Ended> {
  const extra = socket === "" ? {} : { TWILL_SOCKET: socket };
  const child = spawn(shim, { env: { CNI_IFNAME: "eth0", CNI_PATH: "/opt/cni/bin", ...extra, ...env } });
  const out: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (d: Buffer) => Object.assign(out, { [name]: out[name] + d }));
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...out };
}

const config = (extra: object = {}) => JSON.stringify({ cniVersion: "1.1.0", name: "twill", type: "twill", ...extra });
const env = (command: string, container = "a") => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: container,
  CNI_NETNS: `/run/netns/${container}`,
});

function serve(handle: (r: ShimRequest) => Handled | Promise<Handled>, more: Partial<CniServerOptions> = {}) {
  return listenCni({ path: newSocket(), handle, ...more });
}

async function serveNode(n: FakeNode): Promise<{ server: CniServer; path: string }> {
  const path = newSocket();
  return { path, server: await listenCni({ path, handle: (r) => handleCall(() => n.context(), r) }) };
}

const fixed = (stdout: string, exitCode = 0, stderr = ""): Handled => ({
  response: { exitCode, stdout, stderr },
  report: { command: "", containerId: "", ifname: "", code: 0, msg: "", details: "" },
});

test("ADD, CHECK and DEL go through the shim", { skip }, async () => {
  using n = new FakeNode();
  const { server, path } = await serveNode(n);
  await using _ = server;
  n.machine.addNetns("/run/netns/a");
  const added = await run(path, { ...env("ADD"), CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=web" }, config());
  assert.deepEqual([added.code, added.stderr], [0, ""]);
  const prevResult = JSON.parse(added.stdout);
  assert.equal(prevResult.ips[0].address, "10.244.1.2/32");
  assert.equal(n.ledger.find("a", "eth0")?.podName, "web");
  const nothing = { code: 0, stdout: "", stderr: "" };
  assert.deepEqual(await run(path, env("CHECK"), config({ prevResult })), nothing);
  for (let i = 0; i < 2; i++) assert.deepEqual(await run(path, env("DEL"), config({ prevResult })), nothing);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
  const refused = await run(path, env("ADD", "nowhere"), config());
  assert.equal(refused.code, 1);
  assert.equal(JSON.parse(refused.stdout).code, 3);
});

test("64 containers at once", { skip }, async () => {
  using n = new FakeNode();
  n.pools = n.pools.slice(1);
  const { server, path } = await serveNode(n);
  await using _ = server;
  const names = Array.from({ length: 64 }, (_, i) => `c${i}`);
  for (const name of names) n.machine.addNetns(`/run/netns/${name}`);
  const ended = await Promise.all(names.map((name) => run(path, env("ADD", name), config())));
  assert.deepEqual(
    ended.map((e) => e.code),
    names.map(() => 0),
  );
  assert.equal(new Set(ended.map((e) => JSON.parse(e.stdout).ips[0].address)).size, 64);
  // That a caller has ended is heard on two ways, in any order.
  while (server.counters().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(server.counters(), { connections: 0, waiting: 0, refused: 0, malformed: 0, abandoned: 0 });
});

test("large input and output pass; longer input than allowed is refused by the shim itself", { skip }, async () => {
  const seen: number[] = [];
  const big = "x".repeat(3 << 20);
  await using _ = await listenCni({
    path: join(directory, "large.sock"),
    handle: (r) => {
      seen.push(r.stdin.length);
      return fixed(big, 7, "words");
    },
  });
  const ended = await run(join(directory, "large.sock"), env("ADD"), config({ x: big }));
  assert.deepEqual([ended.code, ended.stdout.length, ended.stderr], [7, big.length, "words"]);
  assert.deepEqual(seen, [config({ x: big }).length]);
  const refused = await run(join(directory, "large.sock"), env("ADD"), " ".repeat(5 << 20));
  assert.equal(JSON.parse(refused.stdout).code, 6);
});

test("VERSION is answered with nothing there, and as the agent would", { skip }, async () => {
  for (const stdin of ["", "{", '{"cniVersion":"0.4.0"}', '{"cniVersion" : "9.9"}']) {
    const { code, stdout } = await run(newSocket(), { CNI_COMMAND: "VERSION" }, stdin);
    assert.equal(code, 0);
    const want = stdin.includes("0.4.0") ? "0.4.0" : "1.1.0";
    assert.deepEqual(JSON.parse(stdout), { cniVersion: want, supportedVersions: [...CNI_VERSIONS] });
  }
});

test("without agent and offline program each command gets the answer that it can use", { skip }, async () => {
  const want = { ADD: 11, CHECK: 11, STATUS: 50, DEL: 0, GC: 0 };
  for (const [command, code] of Object.entries(want)) {
    const ended = await run(newSocket(), env(command), '{"cniVersion":"0.4.0"}');
    assert.equal(ended.code, code === 0 ? 0 : 1, command);
    if (code === 0) continue;
    const error = JSON.parse(ended.stdout);
    assert.deepEqual([error.code, error.cniVersion], [code, "0.4.0"], command);
    assert.match(error.msg, /Cannot reach Twill's agent at ".*agent\.sock": No such file or directory/);
    assert.match(error.details, /kubectl/);
  }
});

test("DEL and GC without agent wait when this boot has a ledger", { skip }, async () => {
  const socket = newSocket();
  writeFileSync(join(socket, "../ledger.db"), "");
  for (const command of ["DEL", "GC"])
    assert.equal(JSON.parse((await run(socket, env(command), "{}")).stdout).code, 11);
});

/** An offline program that shows what it was started with. */
function leaveOffline(socket: string, mode = 0o600): void {
  const script = join(socket, "../offline.sh");
  writeFileSync(script, '#!/bin/sh\necho "$1|$2|$CNI_COMMAND|$TWILL_RETRY|$(wc -c)"; exit 3\n', { mode: 0o755 });
  writeFileSync(join(socket, "../offline.argv"), `${script}\nfirst argument\nsecond\n`);
  chmodSync(join(socket, "../offline.argv"), mode);
}

test("the offline program gets arguments, environment and standard input, and its exit code counts", {
  skip,
}, async () => {
  const socket = newSocket();
  leaveOffline(socket);
  const ended = await run(socket, { ...env("ADD"), TWILL_RETRY: "1" }, "x".repeat(100_000));
  assert.deepEqual(ended, { code: 3, stdout: "first argument|second|ADD||100000\n", stderr: "" });
});

test("an agent that dies in the middle is followed by the offline program, which is told", { skip }, async () => {
  const socket = newSocket();
  leaveOffline(socket);
  const dying = createServer((s) => s.on("error", () => undefined).once("data", () => s.destroy())).listen(socket);
  await once(dying, "listening");
  const ended = await run(socket, env("ADD"), "{}");
  dying.close();
  assert.equal(ended.stdout, "first argument|second|ADD|1|2\n");
});

test("an offline file that others may write is not trusted", { skip }, async () => {
  const socket = newSocket();
  leaveOffline(socket, 0o622);
  const ended = await run(socket, env("ADD"), "{}");
  assert.match(JSON.parse(ended.stdout).msg, /Cannot trust/);
});

test("an answer that is none is told as such", { skip }, async () => {
  const socket = newSocket();
  const stranger = createServer((s) => s.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(
    socket,
  );
  await once(stranger, "listening");
  const ended = await run(socket, env("ADD"), "{}");
  stranger.close();
  assert.match(JSON.parse(ended.stdout).msg, /Cannot understand what answers/);
});

test("no answer makes the shim crash", { skip }, async () => {
  const socket = newSocket();
  let answer: Uint8Array = new Uint8Array();
  const stranger = createServer((s) => s.on("error", () => undefined).end(answer)).listen(socket);
  await once(stranger, "listening");
  const sound = encodeResponse({ exitCode: 0, stdout: "out", stderr: "err" });
  const changes = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 });
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    changes.map((list) => list.reduce((bytes, [at, value]) => bytes.fill(value, at, at + 1), sound.slice())),
  );
  await fc.assert(
    fc.asyncProperty(frames, async (bytes) => {
      answer = bytes;
      const { code, stdout } = await run(socket, env("ADD"), "{}");
      assert.notEqual(code, null, "it was killed by a signal");
      assert.ok(code !== 1 || stdout === "out" || JSON.parse(stdout).code > 0, stdout);
    }),
    { numRuns: 60 },
  );
  stranger.close();
});

test("the socket's path stands beside the executable, whatever its name", { skip }, async () => {
  await using server = await serve(() => fixed("served\n"));
  assert.ok(server);
  const bin = join(directory, "bin");
  mkdirSync(bin);
  copyFileSync(SHIM, join(bin, "loopback"));
  writeFileSync(join(bin, "twill.socket"), `${join(directory, `${serial - 1}`, "agent.sock")}\n`);
  assert.equal((await run("", env("ADD"), "{}", join(bin, "loopback"))).stdout, "served\n");
});

test("the socket is for root only, and a dead predecessor's is replaced", { skip }, async () => {
  const path = newSocket();
  const first = await listenCni({ path, handle: () => fixed("first\n") });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(listenCni({ path, handle: () => fixed("") }), { code: "SOCKET_IN_USE" });
  await first[Symbol.asyncDispose]();
  assert.equal(existsSync(path), false);
  writeFileSync(path, "left by a crash");
  await using _ = await listenCni({ path, handle: () => fixed("second\n") });
  assert.equal((await run(path, env("ADD"), "{}")).stdout, "second\n");
});
