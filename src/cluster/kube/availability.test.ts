import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { ClusterTable } from "../source.ts";
import { eventually, PLAIN, startTestApi } from "../testing.ts";
import { createKubeSource, type KubeSourceOptions } from "./kube-source.ts";

const deadline = () => AbortSignal.timeout(60_000);

/** A server that answers lists of some paths, and everything else as it is told. */
async function serve(answers: Map<string, number>) {
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "/", "http://x");
    const status = answers.get(url.pathname) ?? 200;
    if (status !== 200) {
      const reason = status === 403 ? "Forbidden" : "NotFound";
      const message = status === 403 ? `user "agent" cannot list ${url.pathname}` : "the server has no such resource";
      return void res.writeHead(status).end(JSON.stringify({ kind: "Status", status: "Failure", reason, message }));
    }
    if (url.searchParams.has("sendInitialEvents")) return void res.writeHead(422).end("{}");
    if (url.searchParams.has("watch")) return res.writeHead(200).flushHeaders();
    const isPolicies = url.pathname.endsWith("/ciliumnetworkpolicies");
    const items = isPolicies
      ? [{ metadata: { namespace: "x", name: "p" }, spec: { endpointSelector: {}, ingress: [{}] } }]
      : [];
    return void res.writeHead(200).end(JSON.stringify({ metadata: { resourceVersion: "7" }, items }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    config: { ...PLAIN, server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function follow(config: KubeSourceOptions["config"], tables: readonly ClusterTable[]) {
  const failures: string[] = [];
  const source = createKubeSource({
    config,
    tables,
    userAgent: "x",
    absentRetryMs: 5,
    backoff: { firstMs: 1, maxMs: 20 },
    onFailure: (e, kind) => failures.push(`${kind}: ${(e as Error).message}`),
  });
  const ending = new AbortController();
  const done = source.run(ending.signal);
  return {
    source,
    failures,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
    },
  };
}

const CILIUM = "/apis/cilium.io/v2/ciliumnetworkpolicies";

test("a kind that is not served is absent; one that we may not see is forbidden, and both are told and not waited for", async () => {
  const groups = ["/apis/projectcalico.org/v3/tiers", "/apis/crd.projectcalico.org/v1/tiers"];
  await using api = await serve(new Map([[CILIUM, 403], ...groups.map((g): [string, number] => [g, 404])]));
  await using f = follow(api.config, ["nodes", "ciliumNetworkPolicies", "calicoTiers"]);
  await f.source.whenSynced(deadline());
  const { tables, isLive } = f.source.health();
  const state = (table: string) => tables.find((t) => t.table === table);
  assert.equal(state("nodes")?.state, "known");
  assert.equal(state("ciliumNetworkPolicies")?.state, "forbidden");
  assert.match(state("ciliumNetworkPolicies")?.reason ?? "", /user "agent" cannot list .*ciliumnetworkpolicies/);
  assert.equal(state("calicoTiers")?.state, "absent");
  assert.match(state("calicoTiers")?.reason ?? "", /no such resource/);
  await eventually("live without them", () => isLive || f.source.health().isLive);
  // Asked again and again, told once.
  await eventually("asked again", () => f.source.stateOf("ciliumNetworkPolicies") === "forbidden");
  assert.equal(f.failures.filter((x) => x.startsWith("CiliumNetworkPolicy")).length, 1);
});

test("of two versions one that we may see is enough", async () => {
  await using api = await serve(new Map([["/apis/projectcalico.org/v3/tiers", 403]]));
  await using f = follow(api.config, ["calicoTiers"]);
  await f.source.whenSynced(deadline());
  assert.equal(f.source.stateOf("calicoTiers"), "known");
});

test("what becomes forbidden keeps its rows, and is followed again when it is allowed; what becomes absent loses them", async () => {
  const answers = new Map<string, number>();
  await using api = await serve(answers);
  await using f = follow(api.config, ["ciliumNetworkPolicies"]);
  await f.source.whenSynced(deadline());
  const size = () => f.source.snapshot().tables.ciliumNetworkPolicies.size;
  assert.equal(size(), 1);
  answers.set(CILIUM, 403);
  api.cut();
  await eventually("forbidden", () => f.source.stateOf("ciliumNetworkPolicies") === "forbidden");
  assert.equal(size(), 1);
  answers.delete(CILIUM);
  await eventually("known again", () => f.source.stateOf("ciliumNetworkPolicies") === "known");
  answers.set(CILIUM, 404);
  api.cut();
  await eventually("absent", () => f.source.stateOf("ciliumNetworkPolicies") === "absent");
  assert.equal(size(), 0);
});

test("what only some policies ask for is followed from then on, under an older version where there is no newer", async () => {
  await using t = await startTestApi();
  const slice = (name: string) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace: "default", labels: { "kubernetes.io/service-name": "api" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.1.7"] }],
    ports: [{ port: 80 }],
  });
  t.api.objects.create(slice("api-1"));
  await using f = follow(t.config, ["nodes"]);
  await f.source.whenSynced(deadline());
  assert.equal(f.source.stateOf("endpointSlices"), "waiting");
  assert.equal(f.source.snapshot().tables.endpointSlices.size, 0);
  f.source.want(["endpointSlices"]);
  f.source.want(["endpointSlices"]);
  assert.equal(f.source.isSynced(), true, "nothing else waits for it");
  await eventually("known", () => f.source.stateOf("endpointSlices") === "known");
  assert.deepEqual(f.source.snapshot().tables.endpointSlices.get("default/api-1")?.ports, [
    { name: "", protocol: 6, port: 80 },
  ]);
  t.api.objects.create(slice("api-2"));
  await eventually("followed", () => f.source.snapshot().tables.endpointSlices.size === 2);

  await using old = await serve(new Map([["/apis/discovery.k8s.io/v1/endpointslices", 404]]));
  await using g = follow(old.config, ["nodes"]);
  g.source.want(["endpointSlices"]);
  await eventually("known by the older version", () => g.source.stateOf("endpointSlices") === "known");
});
