import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { eventually } from "../../cluster/testing.ts";
import { type LocalHealth, localHealthOf } from "../../service/health.ts";
import { service, slice } from "../../service/testing.ts";
import type { Log } from "../log.ts";
import { HealthChecks } from "./health-checks.ts";

const LOG = { warn: () => undefined } as unknown as Log;
const deadline = () => AbortSignal.timeout(60_000);

/** A port that nobody had a moment ago: somebody may have been given it since. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "::", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Opens a port. @returns it */
async function open(checks: HealthChecks, localEndpoints: number): Promise<number> {
  for (;;) {
    const port = await freePort();
    checks.update([health(port, localEndpoints)]);
    const isTaken = () => checks.issues.length > 0;
    await eventually("the port is open, or somebody else's", () => checks.ports.includes(port) || isTaken());
    if (!isTaken()) return port;
  }
}

const health = (port: number, localEndpoints: number): LocalHealth => ({
  port,
  namespace: "shop",
  name: "web",
  localEndpoints,
});

async function ask(port: number, host = "127.0.0.1") {
  const answer = await fetch(`http://${host}:${port}/healthz`, { signal: deadline() });
  return {
    status: answer.status,
    weight: answer.headers.get("x-load-balancing-endpoint-weight"),
    body: await answer.json(),
  };
}

test("what is asked about, and how many answer here", () => {
  const spec = { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: 31000 };
  const endpoints = [
    "10.0.0.1 node=here",
    "10.0.0.1 node=here",
    "10.0.0.2 node=there",
    "10.0.0.3 node=here unready",
    "10.0.0.4 node=here ending",
  ];
  const of = (change: object) =>
    localHealthOf(service("web", { ...spec, ...change }), [slice("web", endpoints)], "here");
  assert.deepEqual(of({}), health(31000, 1));
  for (const change of [{ type: "NodePort" }, { externalTrafficPolicy: "Cluster" }, { healthCheckNodePort: 0 }])
    assert.equal(of(change), undefined);
});

test("a pod with an address of each family is one endpoint", () => {
  const spec = { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: 31000 };
  const slices = [
    slice("web", ["10.0.0.1 node=here", "10.0.0.2 node=here"]),
    slice("web", ["fd00::1 node=here", "fd00::2 node=here", "fd00::3 node=there"]),
  ];
  assert.equal(localHealthOf(service("web", spec), slices, "here")?.localEndpoints, 2);
});

test("200 with endpoints, 503 without, both families, and gone with the service", async () => {
  using checks = new HealthChecks(LOG, () => true);
  const port = await open(checks, 2);
  const body = { service: { namespace: "shop", name: "web" }, localEndpoints: 2, serviceProxyHealthy: true };
  for (const host of ["127.0.0.1", "[::1]"])
    assert.deepEqual(await ask(port, host), { status: 200, weight: "2", body });
  checks.update([health(port, 0)]);
  assert.deepEqual(await ask(port), { status: 503, weight: "0", body: { ...body, localEndpoints: 0 } });
  checks.update([]);
  await assert.rejects(ask(port));
});

test("503 while the kernel does not have what the cluster says", async () => {
  using checks = new HealthChecks(LOG, () => false);
  const port = await open(checks, 2);
  const { status, body } = await ask(port);
  assert.deepEqual(
    [status, body],
    [503, { service: { namespace: "shop", name: "web" }, localEndpoints: 2, serviceProxyHealthy: false }],
  );
});

test("a port that somebody else has is told, and opened once it is free", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "::", resolve));
  const { port } = other.address() as { port: number };
  let nowMs = 0;
  using checks = new HealthChecks(
    LOG,
    () => true,
    () => nowMs,
  );
  checks.update([health(port, 1)]);
  await eventually("it is told", () => checks.issues.length === 1);
  assert.match(checks.issues[0] ?? "", /Cannot answer for shop\/web at healthCheckNodePort \d+: .*EADDRINUSE/);
  await new Promise((resolve) => other.close(resolve));
  nowMs += 60_000;
  checks.update([health(port, 1)]);
  await eventually("the port is open", () => checks.ports.includes(port));
  assert.deepEqual(checks.issues, []);
});
