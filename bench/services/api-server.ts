/**
 * A Kubernetes API with nothing but a node and services, in the namespaces of who follows it. Started by api.ts:
 * `api-server.ts PORT KUBECONFIG`; each line on standard input is a request in JSON, each line on standard output its answer.
 */

import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { DEFAULT_PATHS } from "../../src/agent/config/default-paths.ts";
import { openNodeKernel } from "../../src/agent/open-node.ts";
import { createEmbeddedApi } from "../../src/cluster/embedded/embedded-api.ts";
import { parseAddr } from "../../src/net/addr.ts";
import { decodeService, encodeServiceKey } from "../../src/net/gen/bpf-maps.ts";
import type { ApiAnswer, ApiRequest } from "./api.ts";
import {
  type BenchBackend,
  endpointsObject,
  nodeObject,
  podObject,
  SERVICE_PORT,
  serviceAddress,
  serviceObject,
  sliceObject,
} from "./objects.ts";

const TCP = 6;
/** Longer than this nobody waits for a change. */
const PATIENCE_MS = 10_000;
/** Between two looks at the kernel's map, milliseconds. */
const LOOK_MS = 0.1;
/** Between two changes. */
const PAUSE_MS = 20;
/** Objects made before the watches are let in between. */
const BATCH = 100;

const [port = "", kubeconfig = ""] = process.argv.slice(2);
const api = await createEmbeddedApi({ historyEvents: 1 << 17 });
let backends: readonly BenchBackend[] = [];
let node = "";
let loaded = 0;

async function load(count: number): Promise<void> {
  const first = backends[0];
  if (first === undefined) throw new RangeError("Cannot make services: no node and backends were given yet");
  for (; loaded < count; loaded++) {
    api.objects.create(endpointsObject(loaded, backends));
    api.objects.create(sliceObject(loaded, backends, node));
    api.objects.create(serviceObject(loaded, first.port));
    if (loaded % BATCH === 0) await setImmediate();
  }
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Takes a service's last backend away, or gives it back, and waits until the kernel knows. */
async function changeOne(service: number, has: readonly BenchBackend[]): Promise<number> {
  const addr = parseAddr(serviceAddress(service));
  if (!addr.ok) throw new RangeError(addr.error);
  const key = encodeServiceKey({ addr: addr.value.bytes, port: SERVICE_PORT, protocol: TCP });
  const kernel = openNodeKernel(DEFAULT_PATHS.pins);
  const start = performance.now();
  api.objects.update(sliceObject(service, has, node));
  for (;;) {
    await setImmediate();
    const value = kernel.mapGet("services", key);
    if (value !== undefined && decodeService(value).insideCount === has.length) return performance.now() - start;
    if (performance.now() - start > PATIENCE_MS)
      throw new Error(`Service ${serviceAddress(service)} has not got ${has.length} backends in ${PATIENCE_MS} ms`);
    Atomics.wait(cell, 0, 0, LOOK_MS);
  }
}

async function change(count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    // Spread over all of them; each is changed and changed back.
    const service = Math.floor(((i >> 1) * loaded) / count);
    times.push(await changeOne(service, i % 2 === 0 ? backends.slice(0, -1) : backends));
    Atomics.wait(cell, 0, 0, PAUSE_MS);
  }
  return times;
}

async function answer(request: ApiRequest): Promise<ApiAnswer> {
  switch (request.what) {
    case "open":
      ({ backends } = request);
      node = request.node;
      api.objects.create(nodeObject(node, request.nodeAddress, request.podCidr));
      for (const name of request.pods) api.objects.create(podObject(name, node));
      return {};
    case "load":
      await load(request.count);
      return {};
    case "change":
      return { timesMs: await change(request.count) };
  }
}

await api.listen({ host: "127.0.0.1", port: Number(port) });
await api.writeKubeconfig(kubeconfig, `https://127.0.0.1:${port}`);
console.log("{}");
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await answer(JSON.parse(line) as ApiRequest)));
process.exit(0);
