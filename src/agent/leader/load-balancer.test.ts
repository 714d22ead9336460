import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewObject } from "../../cluster/embedded/types.ts";
import { createKubeLeaderApi } from "../../cluster/kube/kube-leader-api.ts";
import { createKubeLoadBalancerApi } from "../../cluster/kube/kube-load-balancer-api.ts";
import { startTestApi, type TestApi } from "../../cluster/testing.ts";
import { createInterner } from "../../model/intern.ts";
import { type LoadBalancerPool, parseLoadBalancerPool } from "../../model/load-balancer-pool.ts";
import { parseService } from "../../model/service.ts";
import type { Log } from "../log.ts";
import { ADDRESS_CONDITION, LoadBalancerDuty, type LoadBalancerDutyParts } from "./load-balancer.ts";

const deadline = () => AbortSignal.timeout(60_000);
const interner = createInterner();
const SERVICE = { apiVersion: "v1", kind: "Service", namespace: "default" };

function pool(...addresses: string[]): LoadBalancerPool {
  const read = parseLoadBalancerPool({ metadata: { name: "p" }, spec: { addresses } }, interner);
  return read.ok ? read.value : assert.fail(JSON.stringify(read));
}

const service = (name: string, spec: object = {}): NewObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], ports: [{ port: 80 }], ...spec },
});

interface Giver extends Disposable {
  readonly duty: LoadBalancerDuty;
  readonly lines: string[];
  pools: readonly LoadBalancerPool[];
}

function giver(
  t: TestApi,
  self: string,
  pools: readonly LoadBalancerPool[],
  change: Partial<LoadBalancerDutyParts> = {},
): Giver {
  const lines: string[] = [];
  const note = (fields: object, msg: string) => void lines.push(`${msg} ${JSON.stringify(fields)}`);
  const at = { config: t.config, userAgent: "x", namespace: "kube-system", name: "twill-load-balancer" };
  const leader = createKubeLeaderApi(at);
  const api = createKubeLoadBalancerApi(at);
  const made: Giver = {
    lines,
    pools,
    duty: new LoadBalancerDuty({
      leader,
      api,
      self,
      log: { info: note, warn: note } as unknown as Log,
      // As a watch that is never late.
      objects: () => ({
        services: t.api.objects.list({ apiVersion: "v1", kind: "Service" }).map((o) => {
          const read = parseService(o, interner);
          return read.ok ? read.value : assert.fail(JSON.stringify(read));
        }),
        pools: made.pools,
      }),
      nowMs: () => performance.now(),
      pause: () => Promise.resolve(),
      random: () => 0,
      ...change,
    }),
    [Symbol.dispose]() {
      leader[Symbol.dispose]();
      api[Symbol.dispose]();
    },
  };
  return made;
}

interface Status {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

function statusOf(t: TestApi, name: string): string {
  const status = (t.api.objects.get({ ...SERVICE, name })?.["status"] ?? {}) as Status;
  const condition = status.conditions?.find((c) => c.type === ADDRESS_CONDITION);
  const ips = (status.loadBalancer?.ingress ?? []).map((i) => i.ip).join(" ");
  return `${ips}|${condition === undefined ? "" : `${condition.status} ${condition.reason}`}`;
}

async function settle(g: Giver): Promise<number> {
  let written = 0;
  for (let i = 0; i < 5; i++) written += await g.duty.once(deadline());
  return written;
}

test("services get addresses, what is used up is said, and what is freed goes to who waits", async () => {
  await using t = await startTestApi();
  for (const name of ["a", "b", "c"]) t.api.objects.create(service(name));
  t.api.objects.create(service("other", { loadBalancerClass: "example.com/lb" }));
  using g = giver(t, "n1", [pool("192.0.2.1-192.0.2.2")]);
  assert.equal(await settle(g), 3);
  assert.deepEqual(
    ["a", "b", "c", "other"].map((name) => statusOf(t, name)),
    ["192.0.2.1|True Assigned", "192.0.2.2|True Assigned", "|False Exhausted", "|"],
  );
  assert.equal(await settle(g), 0, "nothing is written twice");
  assert.equal(g.lines.filter((l) => l.startsWith("cannot give a service")).length, 1);
  t.api.objects.delete({ ...SERVICE, name: "a" });
  assert.equal(await settle(g), 1);
  assert.equal(statusOf(t, "c"), "192.0.2.1|True Assigned");
});

test("what another controller gave is left alone; what Twill gave goes with its pool", async () => {
  await using t = await startTestApi();
  t.api.objects.create(service("cloud"));
  t.api.objects.create(service("own"));
  t.api.objects.patch(
    { ...SERVICE, name: "cloud" },
    { status: { loadBalancer: { ingress: [{ ip: "198.51.100.9" }] } } },
    "status",
  );
  using g = giver(t, "n1", []);
  assert.equal(await settle(g), 0, "without pools nothing is said of anybody");
  assert.equal(statusOf(t, "own"), "|");
  g.pools = [pool("192.0.2.1")];
  assert.equal(await settle(g), 1);
  assert.deepEqual([statusOf(t, "cloud"), statusOf(t, "own")], ["198.51.100.9|", "192.0.2.1|True Assigned"]);
  g.pools = [];
  assert.equal(await settle(g), 1);
  assert.deepEqual([statusOf(t, "cloud"), statusOf(t, "own")], ["198.51.100.9|", "|False NoPool"]);
});

test("many agents at once give no address twice", async () => {
  await using t = await startTestApi();
  for (let i = 0; i < 20; i++) t.api.objects.create(service(`s${i}`));
  const givers = Array.from({ length: 4 }, (_, i) => giver(t, `n${i}`, [pool("192.0.2.0/27")]));
  const all = () => Array.from({ length: 20 }, (_, i) => statusOf(t, `s${i}`));
  await Promise.all(
    givers.map(async ({ duty }) => {
      while (!all().every((s) => s.endsWith("Assigned"))) await duty.once(deadline());
    }),
  );
  assert.equal(new Set(all()).size, 20);
  for (const g of givers) g[Symbol.dispose]();
});

test("who may not write says so once", async () => {
  await using t = await startTestApi();
  t.api.objects.create(service("a"));
  const ending = new AbortController();
  let looks = 0;
  using g = giver(t, "n1", [pool("192.0.2.1")], {
    pause: async () => {
      if (++looks > 4) ending.abort();
    },
  });
  await t.api[Symbol.asyncDispose]();
  await g.duty.run(ending.signal);
  assert.equal(g.lines.filter((l) => l.startsWith("cannot give addresses to services")).length, 1);
});
