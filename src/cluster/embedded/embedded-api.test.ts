import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createEmbeddedApi } from "./embedded-api.ts";

test("closing ends a connection whose handshake is not done", async () => {
  const api = await createEmbeddedApi();
  const { port } = await api.listen({ host: "127.0.0.1", port: 0 });
  const socket = connect(port, "127.0.0.1");
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  // The server has taken it in when it has answered another one.
  await assert.rejects(fetch(`https://127.0.0.1:${port}/version`));
  const start = performance.now();
  await api[Symbol.asyncDispose]();
  await ended;
  assert.ok(performance.now() - start < 60_000, "long before a handshake's own time is over");
});
