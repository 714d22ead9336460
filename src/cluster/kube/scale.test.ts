/** The largest cluster that is promised: 1,000 nodes and 30,000 pods, known to one agent. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const NODES = 1000;
const PODS = 30_000;
/** What the tables may hold on to, bytes. It was 40 MB when this was written. */
const MAX_HEAP_GROWTH = 70e6;

const node = (i: number) => ({
  metadata: { name: `node-${i}`, uid: `n-${i}`, labels: { "kubernetes.io/hostname": `node-${i}`, zone: `z${i % 3}` } },
  spec: { podCIDRs: [`10.${i >> 8}.${i & 255}.0/24`, `fd00:10:244:${i.toString(16)}::/64`] },
  status: { addresses: [{ type: "InternalIP", address: `192.168.${i >> 8}.${i & 255}` }] },
});
const pod = (i: number) => ({
  metadata: {
    name: `app-${i % 300}-7d4b9c6f5-${i}`,
    namespace: `ns-${i % 100}`,
    uid: `5b0f7a4e-9f61-4c1e-8f57-${String(i).padStart(12, "0")}`,
    labels: { app: `app-${i % 300}`, "pod-template-hash": "7d4b9c6f5" },
    annotations: { config: "x".repeat(500) },
  },
  spec: {
    nodeName: `node-${i % NODES}`,
    containers: [
      {
        name: "c",
        image: "i",
        env: Array.from({ length: 20 }, (_, k) => ({ name: `V${k}`, value: `${i}` })),
        ports: [{ name: "http", containerPort: 8080 }],
      },
    ],
  },
  status: {
    phase: "Running",
    podIPs: [
      { ip: `10.${(i % NODES) >> 8}.${i & 255}.${1 + Math.floor(i / NODES)}` },
      { ip: `fd00:10:244:${(i % NODES).toString(16)}::${(1 + Math.floor(i / NODES)).toString(16)}` },
    ],
  },
});
const COLLECTIONS: Record<string, { readonly count: number; readonly make: (i: number) => object }> = {
  "/api/v1/nodes": { count: NODES, make: node },
  "/api/v1/pods": { count: PODS, make: pod },
  "/api/v1/namespaces": { count: 100, make: (i) => ({ metadata: { name: `ns-${i}` } }) },
};

/** Pages made when they are asked for: the server of a large cluster without the cluster. */
function createBigServer() {
  return createServer((req, res) => {
    const url = new URL(req.url ?? "/", "http://x");
    const { count, make } = COLLECTIONS[url.pathname] ?? { count: 0, make: node };
    res.writeHead(200, { "content-type": "application/json" });
    if (url.searchParams.has("sendInitialEvents")) {
      for (let i = 0; i < count; i++) res.write(`${JSON.stringify({ type: "ADDED", object: make(i) })}\n`);
      const metadata = { resourceVersion: "7", annotations: { "k8s.io/initial-events-end": "true" } };
      return void res.write(`${JSON.stringify({ type: "BOOKMARK", object: { metadata } })}\n`);
    }
    if (url.searchParams.has("watch")) return res.flushHeaders();
    const from = Number(url.searchParams.get("continue") || 0);
    const to = Math.min(count, from + Number(url.searchParams.get("limit")));
    const items = Array.from({ length: to - from }, (_, i) => make(from + i));
    return void res.end(
      JSON.stringify({ metadata: { resourceVersion: "7", ...(to < count ? { continue: String(to) } : {}) }, items }),
    );
  });
}

const CLIENT = `
  const { createKubeSource } = await import(${JSON.stringify(fileURLToPath(new URL("./kube-source.ts", import.meta.url)))});
  const [url, initialList] = process.argv.slice(1);
  const config = { server: url, ca: undefined, isInsecure: false, tlsServerName: undefined, clientCert: undefined, clientKey: undefined, token: undefined, basic: undefined };
  globalThis.gc();
  const before = process.memoryUsage();
  const began = performance.now();
  const source = createKubeSource({ config, userAgent: "scale", initialList });
  const stop = new AbortController();
  const done = source.run(stop.signal);
  await source.whenSynced(AbortSignal.timeout(110000));
  const syncedMs = Math.round(performance.now() - began);
  globalThis.gc();
  const after = process.memoryUsage();
  const { nodes, pods } = source.snapshot().tables;
  stop.abort();
  await done;
  const grown = (k) => after[k] - before[k];
  console.log(JSON.stringify({ syncedMs, nodes: nodes.size, pods: pods.size, heap: grown("heapUsed") + grown("external"), rss: grown("rss") }));
`;

for (const initialList of ["stream", "pages"])
  test(`1,000 nodes and 30,000 pods fit, lists by ${initialList}`, { timeout: 120_000 }, async (t) => {
    const server = createBigServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const args = ["--expose-gc", "--optimize-for-size", "--input-type=module", "-e", CLIENT, url, initialList];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const out = JSON.parse(await text(child.stdout)) as {
        nodes: number;
        pods: number;
        heap: number;
        rss: number;
        syncedMs: number;
      };
      t.diagnostic(JSON.stringify(out));
      assert.deepEqual([out.nodes, out.pods], [NODES, PODS]);
      assert.ok(out.heap < MAX_HEAP_GROWTH, `${out.heap} bytes of heap are held on to`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
