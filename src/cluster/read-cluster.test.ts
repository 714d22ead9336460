import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readCluster } from "./read-cluster.ts";
import { ClusterError } from "./source.ts";
import { startTestApi } from "./testing.ts";

const USER_AGENT = "twill-test";

test("readCluster() gives what is there and what could not be read, and leaves nothing running", async () => {
  await using t = await startTestApi();
  const directory = await mkdtemp(join(tmpdir(), "twill-read-"));
  try {
    const kubeconfig = join(directory, "kubeconfig");
    await writeFile(kubeconfig, t.api.kubeconfig(`https://127.0.0.1:${t.port}`));
    t.api.objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
    const policy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" };
    t.api.objects.create({ ...policy, metadata: { namespace: "shop", name: "good" }, spec: { podSelector: {} } });
    t.api.objects.create({
      ...policy,
      metadata: { namespace: "shop", name: "bad" },
      spec: { podSelector: {}, odd: 1 },
    });
    const read = await readCluster(kubeconfig, { userAgent: USER_AGENT, timeoutMs: 30_000 });
    assert.deepEqual([...read.tables.networkPolicies.keys()], ["shop/good"]);
    assert.ok(read.tables.namespaces.get("shop"));
    assert.equal(read.problemCount, 1);
    assert.match(read.problems[0]?.subject ?? "", /shop\/bad/);
    assert.equal(read.problems[0]?.issues[0]?.path, "spec.odd");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("readCluster() of an API that is not there says so in time", async () => {
  const t = await startTestApi();
  const directory = await mkdtemp(join(tmpdir(), "twill-read-"));
  try {
    const kubeconfig = join(directory, "kubeconfig");
    await writeFile(kubeconfig, t.api.kubeconfig(`https://127.0.0.1:${t.port}`));
    await t[Symbol.asyncDispose]();
    await assert.rejects(
      readCluster(kubeconfig, { userAgent: USER_AGENT, timeoutMs: 300 }),
      (e) => e instanceof ClusterError && /Cannot read the cluster at .* within 0\.3 s: .*ECONNREFUSED/.test(e.message),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
