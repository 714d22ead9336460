import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
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
    // What is refused has something in its place that closes.
    assert.deepEqual([...read.tables.networkPolicies.keys()].sort(), ["shop/bad", "shop/good"]);
    assert.ok(read.tables.namespaces.get("shop"));
    assert.equal(read.problemCount, 1);
    assert.match(read.problems[0]?.subject ?? "", /shop\/bad/);
    assert.equal(read.problems[0]?.issues[0]?.path, "spec.odd");
  } finally {
    await rm(directory, { recursive: true });
  }
});

const POLICY = {
  metadata: { namespace: "x", name: "p" },
  spec: { endpointSelector: {}, egress: [{ toServices: [{ k8sService: { serviceName: "api", namespace: "x" } }] }] },
};
const SLICE = {
  metadata: { namespace: "x", name: "api-1", labels: { "kubernetes.io/service-name": "api" } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.0.0.7"] }],
  ports: [{ port: 8080, protocol: "TCP" }],
};

test("readCluster() reads what policies speak of, and tells what it may not see", async () => {
  const asked = new Set<string>();
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "/", "http://x");
    asked.add(url.pathname.split("/").at(-1) ?? "");
    if (url.pathname.endsWith("/globalnetworkpolicies"))
      return void res
        .writeHead(403)
        .end('{"kind":"Status","status":"Failure","reason":"Forbidden","message":"not for you"}');
    if (url.searchParams.has("sendInitialEvents")) return void res.writeHead(422).end("{}");
    if (url.searchParams.has("watch")) return res.writeHead(200).flushHeaders();
    const items = url.pathname.endsWith("/ciliumnetworkpolicies")
      ? [POLICY]
      : url.pathname.endsWith("/endpointslices")
        ? [SLICE]
        : [];
    res.writeHead(200).end(JSON.stringify({ metadata: { resourceVersion: "7" }, items }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const directory = await mkdtemp(join(tmpdir(), "twill-read-"));
  try {
    const kubeconfig = join(directory, "kubeconfig");
    const { port } = server.address() as AddressInfo;
    await writeFile(
      kubeconfig,
      `{ current-context: c, contexts: [{ name: c, context: { cluster: c, user: u } }], users: [{ name: u, user: {} }],
         clusters: [{ name: c, cluster: { server: "http://127.0.0.1:${port}" } }] }`,
    );
    const read = await readCluster(kubeconfig, { userAgent: USER_AGENT, timeoutMs: 30_000 });
    assert.equal(read.tables.endpointSlices.size, 1);
    assert.ok(!asked.has("serviceaccounts"), "nothing speaks of them");
    assert.deepEqual(
      read.forbidden.map((f) => f.table),
      ["globalNetworkPolicies"],
    );
    assert.match(read.forbidden[0]?.reason ?? "", /not for you/);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
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
      // Time enough to be refused once, on any machine.
      readCluster(kubeconfig, { userAgent: USER_AGENT, timeoutMs: 3_500 }),
      (e) => e instanceof ClusterError && /Cannot read the cluster at .* within 3\.5 s: .*ECONNREFUSED/.test(e.message),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
