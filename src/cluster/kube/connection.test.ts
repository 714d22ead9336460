import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ClusterError } from "../source.ts";
import { PLAIN, startTestApi } from "../testing.ts";
import { createConnection } from "./connection.ts";

async function serve(
  handler: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<AsyncDisposable & { readonly url: string; readonly server: Server }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]() {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

const get = (path: string) => ({ method: "GET", path, signal: AbortSignal.timeout(60_000) }) as const;
const code =
  (wanted: string, pattern = /./) =>
  (e: unknown) =>
    e instanceof ClusterError && e.code === wanted && pattern.test(e.message);

test("connections are kept and used again", async () => {
  const ports = new Set<number>();
  await using s = await serve((req, res) => {
    ports.add(req.socket.remotePort ?? 0);
    res.end("{}");
  });
  using c = createConnection({ ...PLAIN, server: s.url }, { userAgent: "agent/1" });
  for (let i = 0; i < 5; i++) await c.json(get("/x"));
  assert.equal(ports.size, 1);
});

test("a token in a file is read again when it is refused", async () => {
  const dir = await mkdtemp(join(tmpdir(), "twill-token-"));
  try {
    await writeFile(join(dir, "token"), "old\n");
    const seen: (string | undefined)[] = [];
    await using s = await serve((req, res) => {
      seen.push(req.headers.authorization);
      res.statusCode = req.headers.authorization === "Bearer new" ? 200 : 401;
      res.end(res.statusCode === 200 ? '{"ok":true}' : '{"reason":"Unauthorized","message":"Unauthorized"}');
    });
    using c = createConnection(
      { ...PLAIN, server: s.url, token: { kind: "file", path: join(dir, "token") } },
      { userAgent: "x" },
    );
    await assert.rejects(c.json(get("/x")), code("Unauthorized"));
    await writeFile(join(dir, "token"), "new\n");
    assert.deepEqual(await c.json(get("/x")), { ok: true });
    assert.deepEqual(seen, ["Bearer old", "Bearer new"]);
    await rm(join(dir, "token"));
    using missing = createConnection(
      { ...PLAIN, server: s.url, token: { kind: "file", path: join(dir, "token") } },
      { userAgent: "x" },
    );
    await assert.rejects(missing.json(get("/x")), code("BadConfig", /Cannot read token/));
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("refusals carry the server's reason, its message and how long it asks to wait", async () => {
  await using s = await serve((_, res) => {
    res.writeHead(429, { "retry-after": "7" });
    res.end('{"kind":"Status","reason":"TooManyRequests","message":"slow down"}');
  });
  using c = createConnection({ ...PLAIN, server: s.url }, { userAgent: "x" });
  await assert.rejects(
    c.json(get("/x")),
    (e) =>
      e instanceof ClusterError &&
      e.retryAfterMs === 7000 &&
      e.httpStatus === 429 &&
      /GET \/x: slow down/.test(e.message),
  );
});

test("what is no answer is told from what is a wrong one", async () => {
  await using s = await serve((req, res) => {
    if (req.url === "/html") res.writeHead(502).end("<html>bad gateway</html>");
    else if (req.url === "/cut") {
      res.writeHead(200, { "content-length": "100" });
      res.write("{");
      setImmediate(() => res.destroy());
    } else res.end("not json");
  });
  using c = createConnection({ ...PLAIN, server: s.url }, { userAgent: "x" });
  await assert.rejects(c.json(get("/html")), code("HTTP 502", /bad gateway/));
  await assert.rejects(c.json(get("/text")), code("BadAnswer"));
  await assert.rejects(c.json(get("/cut")), code("Unreachable"));
  using nobody = createConnection({ ...PLAIN, server: "http://127.0.0.1:1" }, { userAgent: "x" });
  await assert.rejects(nobody.json(get("/x")), code("Unreachable", /ECONNREFUSED/));
});

test("a request ends with its signal", async () => {
  await using s = await serve(() => {});
  using c = createConnection({ ...PLAIN, server: s.url }, { userAgent: "x" });
  await assert.rejects(c.json({ ...get("/x"), signal: AbortSignal.timeout(20) }), code("Aborted"));
});

test("a server of another authority, or of another name, is not believed", async () => {
  await using t = await startTestApi();
  await using other = await startTestApi();
  using wrong = createConnection({ ...t.config, ca: other.config.ca }, { userAgent: "x" });
  await assert.rejects(wrong.json(get("/version")), code("Unreachable", /certificate|signature/));
  using misnamed = createConnection({ ...t.config, tlsServerName: "example.com" }, { userAgent: "x" });
  await assert.rejects(misnamed.json(get("/version")), code("Unreachable", /example\.com/));
  using named = createConnection({ ...t.config, tlsServerName: "kubernetes.default.svc" }, { userAgent: "x" });
  await named.json(get("/version"));
  using careless = createConnection({ ...t.config, ca: undefined, isInsecure: true }, { userAgent: "x" });
  await careless.json(get("/version"));
});

test("who gives up while waiting for its turn is told as for any other request", async () => {
  using c = createConnection(
    { ...PLAIN, server: "http://127.0.0.1:1" },
    { userAgent: "x", perSecond: 0.001, burst: 0 },
  );
  await assert.rejects(c.json({ ...get("/x"), signal: AbortSignal.timeout(20) }), code("Aborted"));
});
