import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type HttpServer, listenTcp, listenUnix, type Routes, type Sink } from "./http.ts";

const directory = mkdtempSync(join(tmpdir(), "twill-http-"));
const socketPath = join(directory, "control.sock");
let server: HttpServer;

const sinks: Sink[] = [];

const ROUTES: Routes = {
  "GET /text": () => ({ status: 200, body: "hello\n" }),
  "GET /json": (query) => ({ status: 200, body: { name: query.get("name"), big: 2n ** 64n } }),
  "GET /bad": () => {
    throw new Error("Cannot do that");
  },
  "GET /on": () => ({
    status: 200,
    body: "first\n",
    stream: (sink) => {
      sinks.push(sink);
      return { [Symbol.dispose]: () => void sinks.splice(sinks.indexOf(sink), 1) };
    },
  }),
  "POST /late": async () => ({ status: 503, body: "later" }),
};

before(async () => {
  writeFileSync(socketPath, "what a killed predecessor left");
  server = await listenUnix(socketPath, ROUTES);
});

after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

async function until(isDone: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !isDone() && performance.now() < end; ) await turn();
  assert.ok(isDone());
}

function get(
  path: string,
  method = "GET",
  body = "",
): Promise<{ status: number | undefined; text: string; type: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, method, agent: false }, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (d: string) => {
        text += d;
      });
      res.on("end", () => resolve({ status: res.statusCode, text, type: res.headers["content-type"] ?? "" }));
    });
    req.on("error", reject);
    req.end(body);
  });
}

describe("HTTP of the agent", () => {
  it("is for its owner only", () => assert.equal(statSync(socketPath).mode & 0o777, 0o600));

  it("answers text as text and the rest as JSON, 64-bit figures as text", async () => {
    assert.deepEqual(await get("/text"), { status: 200, text: "hello\n", type: "text/plain; charset=utf-8" });
    const { text, type } = await get("/json?name=a%20b");
    assert.deepEqual(JSON.parse(text), { name: "a b", big: "18446744073709551616" });
    assert.equal(type, "application/json");
  });

  it("says what there is when it is asked for something else", async () => {
    const { status, text } = await get("/nothing");
    assert.equal(status, 404);
    assert.match(text, /There is only GET \/text, GET \/json/);
    assert.equal((await get("/text", "DELETE")).status, 404);
    assert.equal((await get("/__proto__")).status, 404);
  });

  it("tells a failure, and goes on", async () => {
    assert.deepEqual(JSON.parse((await get("/bad")).text), { error: "Cannot do that" });
    assert.equal((await get("/late", "POST", "x".repeat(100_000))).status, 503);
  });

  it("survives clients that send nonsense or vanish", async () => {
    for (const nonsense of ["\0\0\0\0", "GET\r\n\r\n", "GET /text HTTP/1.1\r\nHost: x\r\n\r\n"]) {
      const client = createConnection(socketPath);
      await new Promise((resolve) => client.write(nonsense, resolve));
      client.destroy();
    }
    assert.equal((await get("/text")).status, 200);
  });

  it("goes on with an answer until the client has gone, and says how much waits for it", async () => {
    const res = await new Promise<IncomingMessage>((resolve, reject) =>
      request({ socketPath, path: "/on", agent: false }, resolve).on("error", reject).end(),
    );
    const [sink] = sinks;
    assert.ok(sink);
    const big = "x".repeat(1 << 20);
    sink.write(big);
    sink.write("last\n");
    assert.ok(sink.waitingBytes() > 1 << 19);
    const isEmpty = new Promise<void>((resolve) => sink.whenEmpty(resolve));
    let text = "";
    for await (const chunk of res.setEncoding("utf8")) {
      text += chunk;
      if (text.endsWith("last\n")) break;
    }
    assert.equal(text, `first\n${big}last\n`);
    await isEmpty;
    assert.equal(sink.waitingBytes(), 0);
    res.destroy();
    await until(() => sinks.length === 0);
  });

  it("refuses connections beyond its bound instead of growing", async () => {
    const clients = Array.from({ length: 80 }, () => createConnection(socketPath));
    const closed = await Promise.race(
      clients.map((c) => new Promise<boolean>((r) => c.on("close", () => r(true)).on("error", () => r(true)))),
    );
    assert.equal(closed, true);
    for (const c of clients) c.destroy();
  });

  for (const [host, shown] of [
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "[::1]"],
  ] as const)
    it(`an address that is taken is an error that names it: ${host}`, async () => {
      const { port = 0, ...first } = await listenTcp({ host, port: 0 }, ROUTES);
      await assert.rejects(listenTcp({ host, port }, ROUTES), ({ message }: Error) =>
        message.startsWith(`Cannot listen at "${shown}:${port}": listen EADDRINUSE`),
      );
      await first[Symbol.asyncDispose]();
    });

  it("a directory in the socket's place stays, and is named", async () => {
    const path = join(directory, "directory.sock");
    mkdirSync(path);
    await assert.rejects(listenUnix(path, ROUTES), ({ message }: Error) =>
      message.startsWith(`Cannot listen at "${path}": `),
    );
    assert.ok(statSync(path).isDirectory());
  });
});
