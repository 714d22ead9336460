import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Run } from "./leftovers.ts";
import { askMode, hasRules } from "./watch.ts";

/** Asks a server that answers so. */
async function asked(status: number, body: string): Promise<string | undefined> {
  const server = createServer((_, res) => res.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await askMode(`http://127.0.0.1:${(server.address() as AddressInfo).port}/proxyMode`);
  } finally {
    server.close();
  }
}

test("the mode of a kube-proxy that answers; anything else is none", async () => {
  assert.equal(await asked(200, "iptables"), "iptables");
  assert.equal(await asked(200, "ipvs\n"), "ipvs");
  assert.equal(await asked(404, "iptables"), undefined);
  assert.equal(await asked(200, "<html>"), undefined);
  assert.equal(await asked(200, "x".repeat(100_000)), undefined);
  assert.equal(await askMode("http://127.0.0.1:1/"), undefined);
});

test("rules are found by what only kube-proxy makes; a program that is not there finds none", async () => {
  const knows = (word: string): Run => {
    return async (argv) => ({ code: argv.includes(word) ? 0 : undefined, stdout: "", stderr: "" });
  };
  assert.equal(await hasRules(knows("KUBE-SERVICES")), true);
  assert.equal(await hasRules(knows("kube-proxy")), true);
  assert.equal(await hasRules(knows("nothing")), false);
});
