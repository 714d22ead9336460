import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ClusterError } from "../source.ts";
import { findConnectionConfig, inClusterConfig } from "./find-config.ts";
import { parseKubeconfig } from "./kubeconfig.ts";

const b64 = (text: string) => Buffer.from(text).toString("base64");

const file = (cluster: object, user: object, more: object = {}) =>
  JSON.stringify({
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
    clusters: [{ name: "k", cluster: { server: "https://10.0.0.1:6443/", ...cluster } }],
    users: [{ name: "u", user }],
    ...more,
  });

const good = (text: string) => {
  const r = parseKubeconfig(text, "/etc/x");
  if (!r.ok) assert.fail(JSON.stringify(r.error));
  return r.value;
};
const bad = (text: string) => {
  const r = parseKubeconfig(text, "/etc/x");
  if (r.ok) assert.fail("accepted");
  return r.error.map((i) => `${i.path}: ${i.message}`);
};

test("inline data, files relative to the kubeconfig, data before files", () => {
  const c = good(
    file(
      { "certificate-authority-data": b64("CA"), "certificate-authority": "ignored.crt" },
      { "client-certificate": "u.crt", "client-key": "/abs/u.key" },
    ),
  );
  assert.deepEqual(c.ca, { kind: "value", text: "CA" });
  assert.deepEqual(c.clientCert, { kind: "file", path: "/etc/x/u.crt" });
  assert.deepEqual(c.clientKey, { kind: "file", path: "/abs/u.key" });
  assert.equal(c.server, "https://10.0.0.1:6443");
  assert.equal(c.isInsecure, false);
});

test("tokens, token files, passwords, insecure, server name", () => {
  assert.deepEqual(good(file({}, { token: "t", tokenFile: "f" })).token, { kind: "value", text: "t" });
  assert.deepEqual(good(file({}, { tokenFile: "f" })).token, { kind: "file", path: "/etc/x/f" });
  assert.deepEqual(good(file({}, { username: "a", password: "b" })).basic, { username: "a", password: "b" });
  const c = good(file({ "insecure-skip-tls-verify": true, "tls-server-name": "api" }, {}));
  assert.deepEqual([c.isInsecure, c.tlsServerName], [true, "api"]);
});

test("what cannot be used says where and why, all of it", () => {
  const exec = bad(
    file({ server: "ftp://x", "proxy-url": "http://p" }, { exec: { command: "aws" }, "client-key": "k" }),
  );
  for (const part of ["clusters[0].cluster.server: ", "proxy-url", "exec", "client-certificate"])
    assert.ok(
      exec.some((l) => l.includes(part)),
      `${part} in ${exec.join("\n")}`,
    );
  assert.match(exec.find((l) => l.includes("users[0].user.exec")) ?? "", /Credential plugins are not run/);
  assert.deepEqual(bad(file({}, {}, { "current-context": "nope" })), ['contexts: There is no entry named "nope"']);
  assert.match(bad("{").join(), /Cannot be read as YAML/);
  assert.deepEqual(bad("{}"), ["current-context: A value is required"]);
});

test("any JSON is either used or refused", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      for (const text of [JSON.stringify(a), file({ server: a }, { token: b }), file(a as object, b as object)]) {
        const r = parseKubeconfig(text, "/");
        if (!r.ok) assert.ok(r.error.length > 0);
      }
    }),
  );
});

test("found in this order: a named file, KUBECONFIG, the pod's service account", async () => {
  const dir = await mkdtemp(join(tmpdir(), "twill-kubeconfig-"));
  try {
    const path = join(dir, "config");
    await writeFile(path, file({}, { token: "t" }));
    assert.equal((await findConnectionConfig({ kubeconfig: path }, {})).server, "https://10.0.0.1:6443");
    assert.equal(
      (await findConnectionConfig({ kubeconfig: undefined }, { KUBECONFIG: path })).server,
      "https://10.0.0.1:6443",
    );
    await writeFile(join(dir, "token"), "tok");
    const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    assert.equal(inClusterConfig(env, dir)?.server, "https://[fd00::1]:443");
    assert.deepEqual(inClusterConfig(env, dir)?.token, { kind: "file", path: join(dir, "token") });
    assert.equal(inClusterConfig({}, dir), undefined);
    for (const run of [
      () => findConnectionConfig({ kubeconfig: join(dir, "missing") }, {}),
      () => findConnectionConfig({ kubeconfig: undefined }, {}),
      () => findConnectionConfig({ kubeconfig: undefined }, { KUBECONFIG: "/a:/b" }),
    ])
      await assert.rejects(run, (e) => e instanceof ClusterError && e.code === "BadConfig");
  } finally {
    await rm(dir, { recursive: true });
  }
});
