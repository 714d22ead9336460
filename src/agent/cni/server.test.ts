import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import type { Handled } from "./handler.ts";
import { type CniServerOptions, listenCni } from "./server.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  FRAME_HEADER_BYTES,
  readFrameHeader,
  type ShimResponse,
} from "./shim-frame.ts";

const directory = mkdtempSync(join(tmpdir(), "twill-server-"));
after(() => rmSync(directory, { recursive: true, force: true }));
let serial = 0;

const answer = (stdout: string): Handled => ({
  response: { exitCode: 0, stdout, stderr: "" },
  report: { command: "", containerId: "", ifname: "", code: 0, msg: "", details: "" },
});

async function serve(options: Omit<CniServerOptions, "path">) {
  const path = join(directory, `${serial++}.sock`);
  return { path, server: await listenCni({ ...options, path }) };
}

test("a path that cannot be taken is refused, and nothing goes on listening", async () => {
  const path = join(directory, "taken.sock");
  mkdirSync(path);
  const listening = () => process.getActiveResourcesInfo().filter((kind) => kind === "PipeServerWrap").length;
  const before = listening();
  await assert.rejects(
    listenCni({ path, handle: () => answer("") }),
    /Cannot put the plugin's socket at ".*taken\.sock": EISDIR/,
  );
  for (let i = 0; listening() !== before && i < 1000; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(listening(), before);
  assert.equal(existsSync(`${path}.new`), false);
});

const requestFrame = (container: string, command = "ADD") =>
  encodeRequest({ env: { CNI_COMMAND: command, CNI_CONTAINERID: container }, stdin: "{}" });

async function connect(path: string): Promise<Socket> {
  const socket = createConnection(path);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Everything until the end, as a response; undefined when it ended without one. */
async function response(socket: Socket): Promise<ShimResponse | undefined> {
  const pieces: Buffer[] = [];
  socket.on("data", (d: Buffer) => pieces.push(d));
  if (!socket.closed) await once(socket, "close");
  const all = Buffer.concat(pieces);
  if (all.length === 0) return undefined;
  const header = readFrameHeader(all, 1 << 20);
  assert.ok(header.ok);
  const body = decodeResponse(all.subarray(FRAME_HEADER_BYTES));
  assert.ok(body.ok);
  return body.value;
}

async function ask(path: string, frame: Uint8Array): Promise<ShimResponse | undefined> {
  const socket = await connect(path);
  const answered = response(socket);
  socket.write(frame);
  return answered;
}

test("a request in single bytes is a request", async () => {
  const { path, server } = await serve({ handle: (r) => answer(r.env["CNI_CONTAINERID"] ?? "") });
  await using _ = server;
  const socket = await connect(path);
  const answered = response(socket);
  for (const byte of requestFrame("abc")) socket.write(Uint8Array.of(byte));
  assert.equal((await answered)?.stdout, "abc");
});

test("calls of one container follow each other; another's does not wait", async () => {
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const log: string[] = [];
  const gate = (name: string) => {
    const g = gates.get(name) ?? Promise.withResolvers<void>();
    gates.set(name, g);
    return g;
  };
  const { path, server } = await serve({
    handle: async (r) => {
      const name = `${r.env["CNI_CONTAINERID"]} ${r.env["CNI_COMMAND"]}`;
      log.push(name);
      await gate(name).promise;
      return answer(name);
    },
  });
  await using _ = server;
  const add = await connect(path);
  const added = response(add);
  add.write(requestFrame("a", "ADD"));
  gate("b ADD").resolve();
  while (!log.includes("a ADD")) await new Promise((resolve) => setImmediate(resolve));
  const deleted = ask(path, requestFrame("a", "DEL"));
  assert.equal((await ask(path, requestFrame("b", "ADD")))?.stdout, "b ADD");
  assert.deepEqual(log, ["a ADD", "b ADD"]);
  gate("a DEL").resolve();
  gate("a ADD").resolve();
  assert.equal((await added)?.stdout, "a ADD");
  assert.equal((await deleted)?.stdout, "a DEL");
  assert.deepEqual(log, ["a ADD", "b ADD", "a DEL"]);
});

test("an ADD whose caller went before its turn is not done; a DEL is", async () => {
  const first = Promise.withResolvers<void>();
  const log: string[] = [];
  const { path, server } = await serve({
    handle: async (r) => {
      log.push(r.env["CNI_COMMAND"] ?? "");
      await first.promise;
      return answer("");
    },
  });
  await using _ = server;
  const running = ask(path, requestFrame("a", "CHECK"));
  while (log.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (const command of ["ADD", "DEL"]) {
    const socket = await connect(path);
    socket.write(requestFrame("a", command));
    const before = server.counters().waiting;
    while (server.counters().waiting === before) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
  }
  while (server.counters().connections > 1) await new Promise((resolve) => setImmediate(resolve));
  first.resolve();
  await running;
  while (!log.includes("DEL")) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(log, ["CHECK", "DEL"]);
  assert.equal(server.counters().abandoned, 1);
});

test("bounds are answered with code 11 and counted", async () => {
  const gate = Promise.withResolvers<void>();
  const { path, server } = await serve({
    handle: async () => {
      await gate.promise;
      return answer("");
    },
    limits: { connections: 3, waiting: 1 },
  });
  await using _ = server;
  const held = [ask(path, requestFrame("a")), ask(path, requestFrame("a"))];
  while (server.counters().waiting < 1) await new Promise((resolve) => setImmediate(resolve));
  const third = await ask(path, requestFrame("a"));
  assert.equal(JSON.parse(third?.stdout ?? "").code, 11);
  while (server.counters().connections > 2) await new Promise((resolve) => setImmediate(resolve));
  held.push(ask(path, requestFrame("b")));
  while (server.counters().connections < 3) await new Promise((resolve) => setImmediate(resolve));
  const fourth = await ask(path, requestFrame("c"));
  assert.match(JSON.parse(fourth?.stdout ?? "").msg, /serves 3 calls already/);
  assert.equal(server.counters().refused, 2);
  gate.resolve();
  await Promise.all(held);
});

test("strangers and liars are dropped and counted", async () => {
  const { path, server } = await serve({ handle: () => answer("x") });
  await using _ = server;
  const sound = requestFrame("a");
  const liar = sound.slice();
  liar.fill(0xff, 4, 8);
  const trailing = new Uint8Array([...sound, 0]);
  const crooked = sound.slice();
  crooked.fill(0xff, 8, 12);
  for (const frame of [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), liar, trailing, crooked])
    assert.equal(await ask(path, frame), undefined);
  assert.equal(server.counters().malformed, 4);
  assert.equal((await ask(path, sound))?.stdout, "x");
});

test("the slow are dropped and counted", async () => {
  // Nobody else is asked for in so short a time: this process may not run for as long.
  const { path, server } = await serve({ handle: () => answer("x"), limits: { requestMs: 50 } });
  await using _ = server;
  const slow = await connect(path);
  slow.write(requestFrame("a").subarray(0, 20));
  assert.equal(await response(slow), undefined);
  assert.equal(server.counters().malformed, 1);
});

test("ending waits for the call that has begun, and its answer arrives", async () => {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const { path, server } = await serve({
    handle: async () => {
      begun.resolve();
      await gate.promise;
      return answer("late");
    },
  });
  const answered = ask(path, requestFrame("a"));
  await begun.promise;
  const ended = server[Symbol.asyncDispose]();
  gate.resolve();
  await ended;
  assert.equal((await answered)?.stdout, "late");
});

test("frames survive a round trip, and no bytes make the decoders throw", () => {
  const name = fc.stringMatching(/^[A-Z_]{1,12}$/);
  fc.assert(
    fc.property(fc.dictionary(name, fc.string(), { maxKeys: 8 }), fc.string(), (env, stdin) => {
      const frame = encodeRequest({ env, stdin });
      const length = readFrameHeader(frame, frame.length);
      assert.deepEqual(length, { ok: true, value: frame.length - FRAME_HEADER_BYTES });
      const back = decodeRequest(frame.subarray(FRAME_HEADER_BYTES));
      assert.ok(back.ok);
      assert.deepEqual({ ...back.value.env }, { ...env });
      assert.equal(back.value.stdin, stdin);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.string(), fc.string(), (exitCode, stdout, stderr) => {
      const body = encodeResponse({ exitCode, stdout, stderr }).subarray(FRAME_HEADER_BYTES);
      assert.deepEqual(decodeResponse(body), { ok: true, value: { exitCode, stdout, stderr } });
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const decode of [decodeRequest, decodeResponse, (b: Uint8Array) => readFrameHeader(b, 64)])
        assert.equal(typeof decode(bytes).ok, "boolean");
    }),
    { numRuns: 2000 },
  );
});
