import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { PassThrough, Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { ClusterError } from "../source.ts";
import { eventually, startTestApi, type TestApi } from "../testing.ts";
import { CHANNEL, decodeMessage, encodeMessage } from "./exec-protocol.ts";
import type { ExecRequest, ExecSession, KubeletStreams, LogRequest } from "./types.ts";

const seen: { exec: ExecRequest[]; log: LogRequest[]; sizes: string[]; killed: number } = {
  exec: [],
  log: [],
  sizes: [],
  killed: 0,
};

function run(request: ExecRequest): ExecSession {
  const [file = "", ...args] = request.command;
  const child = spawn(file, args, { stdio: "pipe" });
  const exit = new Promise<{ code: number } | { error: string }>((resolve) => {
    child.once("error", (e) => resolve({ error: e.message }));
    child.once("close", (code) => resolve({ code: code ?? 137 }));
  });
  if (!request.stdin) child.stdin.end();
  return {
    stdin: request.stdin ? child.stdin : undefined,
    stdout: child.stdout,
    stderr: request.tty ? undefined : child.stderr,
    exit,
    resize: (columns, rows) => void seen.sizes.push(`${columns}x${rows}`),
    kill() {
      seen.killed++;
      child.kill("SIGKILL");
    },
  };
}

const followed = new PassThrough();
const kubelet: KubeletStreams = {
  async exec(request) {
    seen.exec.push(request);
    if (request.command[0] === "refuse") throw new Error("container is not running");
    return run(request);
  },
  async logs(request) {
    seen.log.push(request);
    if (request.previous) throw new Error("previous terminated container not found");
    return request.follow ? followed : Readable.from(["one\n", "two\n"]);
  },
};

let t: TestApi;
before(async () => {
  t = await startTestApi({ kubelet });
  const containers = [
    { name: "a", image: "x" },
    { name: "b", image: "x" },
  ];
  t.api.objects.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default" },
    spec: { nodeName: "n", containers: containers.slice(0, 1) },
  });
  t.api.objects.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "two", namespace: "default" },
    spec: { nodeName: "n", containers },
  });
  t.api.objects.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "nowhere", namespace: "default" },
    spec: { containers: containers.slice(0, 1) },
  });
});
after(async () => {
  await t[Symbol.asyncDispose]();
  assert.deepEqual(t.errors, []);
});

interface Client {
  readonly socket: WebSocket;
  text(channel: number): string;
  readonly closed: Promise<void>;
}

function open(query: string, protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"], pod = "p"): Client {
  const value = (s: TestApi["config"]["ca"]) => (s?.kind === "value" ? s.text : "");
  const url = `wss://127.0.0.1:${t.port}/api/v1/namespaces/default/pods/${pod}/exec?${query}`;
  const socket = new WebSocket(url, protocols, {
    ca: value(t.config.ca),
    cert: value(t.config.clientCert),
    key: value(t.config.clientKey),
  });
  const got = new Map<number, Buffer[]>();
  socket.on("message", (m: Buffer) => {
    const channel = m[0] ?? -1;
    got.set(channel, [...(got.get(channel) ?? []), m.subarray(1)]);
  });
  const closed = new Promise<void>((resolve, reject) => {
    socket.once("close", () => resolve());
    socket.once("error", reject);
  });
  return { socket, text: (channel) => Buffer.concat(got.get(channel) ?? []).toString(), closed };
}

const commands = (...words: string[]) => words.map((w) => `command=${encodeURIComponent(w)}`).join("&");
const status = (c: Client) => JSON.parse(c.text(CHANNEL.error));

for (const protocol of ["v5.channel.k8s.io", "v4.channel.k8s.io"]) {
  test(`${protocol}: output, errors and exit code each by their channel`, async () => {
    const c = open(`${commands("sh", "-c", "echo out; echo err >&2; exit 7")}&stdout=true&stderr=true`, [protocol]);
    await c.closed;
    assert.equal(c.socket.protocol, protocol);
    assert.deepEqual([c.text(CHANNEL.stdout), c.text(CHANNEL.stderr)], ["out\n", "err\n"]);
    assert.deepEqual(
      [status(c).reason, status(c).details.causes],
      ["NonZeroExitCode", [{ reason: "ExitCode", message: "7" }]],
    );
  });
}

test("a command that ends well says so", async () => {
  const c = open(`${commands("true")}&stdout=true`);
  await c.closed;
  assert.equal(status(c).status, "Success");
});

test("input goes in, and its end too (v5)", async () => {
  const c = open(`${commands("cat")}&stdin=true&stdout=true`);
  await new Promise((resolve) => c.socket.once("open", resolve));
  const big = Buffer.alloc(3 << 20, 97);
  c.socket.send(encodeMessage(CHANNEL.stdin, big));
  c.socket.send(Buffer.of(CHANNEL.close, CHANNEL.stdin));
  await c.closed;
  assert.equal(c.text(CHANNEL.stdout).length, big.length);
  assert.equal(status(c).status, "Success");
});

test("a terminal has a size and one output", async () => {
  const c = open(`${commands("cat")}&stdin=true&stdout=true&stderr=true&tty=true`);
  await new Promise((resolve) => c.socket.once("open", resolve));
  c.socket.send(encodeMessage(CHANNEL.resize, JSON.stringify({ Width: 80, Height: 24 })));
  c.socket.send(encodeMessage(CHANNEL.resize, "nonsense"));
  await eventually("the size arrives", () => seen.sizes.includes("80x24"));
  c.socket.send(Buffer.of(CHANNEL.close, CHANNEL.stdin));
  await c.closed;
  assert.equal(seen.exec.at(-1)?.tty, true);
  assert.equal(seen.exec.at(-1)?.stderr, false);
});

test("a client that goes takes its command with it", async () => {
  const before = seen.killed;
  const c = open(`${commands("sleep", "600")}&stdout=true`);
  await new Promise((resolve) => c.socket.once("open", resolve));
  c.socket.terminate();
  await eventually("it is killed", () => seen.killed > before);
});

test("refusals: by the kubelet on the error channel, others before the upgrade", async () => {
  const c = open(`${commands("refuse")}&stdout=true`);
  await c.closed;
  assert.deepEqual([status(c).status, status(c).message], ["Failure", "container is not running"]);
  for (const [query, protocols, pod, code] of [
    [commands("x"), ["v1.nonsense"], "p", 400],
    ["stdout=true", undefined, "p", 400],
    [commands("x"), undefined, "missing", 404],
    [commands("x"), undefined, "nowhere", 400],
    [commands("x"), undefined, "two", 400],
    [`${commands("x")}&container=c`, undefined, "two", 400],
  ] as const)
    await assert.rejects(
      open(query, protocols && [...protocols], pod).closed,
      new RegExp(`Unexpected server response: ${code}`),
      `${query} ${pod}`,
    );
});

describe("messages", () => {
  test("what does not fit the protocol is ignored", () => {
    for (const m of [
      Buffer.alloc(0),
      Buffer.of(9, 1),
      Buffer.of(CHANNEL.close),
      Buffer.of(CHANNEL.close, 1),
      encodeMessage(CHANNEL.resize, '{"Width":-1,"Height":2}'),
      encodeMessage(CHANNEL.resize, '{"Width":1}'),
    ])
      assert.deepEqual(decodeMessage(m), { kind: "ignored" });
  });
});

describe("logs", () => {
  const path = "/api/v1/namespaces/default/pods";
  const read = async (rest: string) => {
    const res = await t.connection.stream({
      method: "GET",
      path: `${path}/${rest}`,
      signal: AbortSignal.timeout(60_000),
    });
    return Buffer.concat((await res.toArray()) as Buffer[]).toString();
  };

  test("the whole log, with what was asked for", async () => {
    assert.equal(await read("p/log?tailLines=5&timestamps=true&limitBytes=100&sinceSeconds=10"), "one\ntwo\n");
    const { tailLines, timestamps, limitBytes, container, follow, sinceMs } = seen.log.at(-1) ?? assert.fail();
    assert.deepEqual([tailLines, timestamps, limitBytes, container, follow], [5, true, 100, "a", false]);
    assert.ok(sinceMs !== undefined && Math.abs(Date.now() - 10_000 - sinceMs) < 10_000);
  });

  test("followed until the client goes", async () => {
    const stop = new AbortController();
    const res = await t.connection.stream({ method: "GET", path: `${path}/p/log?follow=true`, signal: stop.signal });
    followed.write("live\n");
    const chunk = await new Promise<Buffer>((resolve) => res.once("data", resolve));
    assert.equal(chunk.toString(), "live\n");
    res.on("error", () => {});
    stop.abort();
    await eventually("the source is closed", () => followed.destroyed);
  });

  test("refusals", async () => {
    for (const [rest, code] of [
      ["two/log", 400],
      ["two/log?container=zzz", 400],
      ["nowhere/log", 400],
      ["missing/log", 404],
      ["p/log?previous=true", 400],
    ] as const)
      await assert.rejects(read(rest), (e) => e instanceof ClusterError && e.httpStatus === code, rest);
  });
});
