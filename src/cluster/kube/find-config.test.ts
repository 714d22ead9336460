/** An API that is reached by another address than its credentials name, as where no Service works. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ClusterError } from "../source.ts";
import { startTestApi } from "../testing.ts";
import { createConnection } from "./connection.ts";
import { apiServerUrl, findConnectionConfig } from "./find-config.ts";

const directory = mkdtempSync(join(tmpdir(), "twill-api-server-"));
after(() => rmSync(directory, { recursive: true }));

/** What the kubelet tells a pod in a cluster whose Service nobody makes work: TEST-NET-1 (RFC 5737). */
const NOWHERE = { KUBERNETES_SERVICE_HOST: "192.0.2.1", KUBERNETES_SERVICE_PORT: "443" };

const URLS: readonly (readonly [text: string, expected: string | undefined])[] = [
  ["https://10.0.0.1:6443", "https://10.0.0.1:6443"],
  ["https://api.example.org:6443/", "https://api.example.org:6443"],
  ["https://[fd00::1]:6443", "https://[fd00::1]:6443"],
  ["https://api", "https://api"],
  ["http://10.0.0.1:8080", undefined],
  ["10.0.0.1:6443", undefined],
  ["https://u:p@10.0.0.1:6443", undefined],
  ["https://10.0.0.1:6443/k8s", undefined],
  ["", undefined],
];
for (const [text, expected] of URLS)
  test(`"${text}" as an API's address`, () => assert.equal(apiServerUrl(text), expected));

test("the service account is used at the address that the configuration or the environment gives", async () => {
  await using t = await startTestApi();
  const { ca, clientCert, clientKey } = t.config;
  assert.ok(ca?.kind === "value");
  writeFileSync(join(directory, "ca.crt"), ca.text);
  writeFileSync(join(directory, "token"), "a-token");
  const apiServer = `https://127.0.0.1:${t.port}`;
  const found = await findConnectionConfig({ kubeconfig: undefined, apiServer }, NOWHERE, directory);
  assert.equal(found.server, apiServer);
  assert.deepEqual(found.token, { kind: "file", path: join(directory, "token") });
  const more = { kubeconfig: undefined };
  const env = { ...NOWHERE, TWILL_API_SERVER: apiServer };
  assert.deepEqual(await findConnectionConfig(more, env, directory), found);
  assert.deepEqual(
    await findConnectionConfig(more, { TWILL_API_SERVER: apiServer }, directory),
    found,
    "not even named by the kubelet",
  );
  assert.equal(
    (await findConnectionConfig({ ...more, apiServer: "https://a:1" }, env, directory)).server,
    "https://a:1",
  );
  assert.equal(
    (await findConnectionConfig(more, { ...NOWHERE, TWILL_API_SERVER: "" }, directory)).server,
    "https://192.0.2.1:443",
  );
  using connection = createConnection({ ...found, token: undefined, clientCert, clientKey }, { userAgent: "x" });
  const answer = await connection.json({ method: "GET", path: "/version", signal: AbortSignal.timeout(60_000) });
  assert.ok(answer);
});

test("a kubeconfig's credentials are used there as well, and its certificate may carry another name", async () => {
  await using t = await startTestApi();
  const path = join(directory, "kubeconfig");
  writeFileSync(path, t.api.kubeconfig("https://192.0.2.1:6443"));
  const place = { kubeconfig: path, apiServer: `https://127.0.0.1:${t.port}` };
  const ask = async (tlsServerName?: string) => {
    using connection = createConnection(await findConnectionConfig({ ...place, tlsServerName }, {}), {
      userAgent: "x",
    });
    return await connection.json({ method: "GET", path: "/version", signal: AbortSignal.timeout(60_000) });
  };
  assert.ok(await ask());
  assert.ok(await ask("localhost"));
  await assert.rejects(ask("elsewhere.example.org"), /elsewhere\.example\.org/);
});

test("what is no address is refused", () =>
  assert.rejects(
    findConnectionConfig({ kubeconfig: undefined }, { ...NOWHERE, TWILL_API_SERVER: "10.0.0.1:6443" }, directory),
    (e) =>
      e instanceof ClusterError && e.code === "BadConfig" && /"10\.0\.0\.1:6443": it is not https:/.test(e.message),
  ));
