import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeSource, testNode } from "../../cluster/fake-source.ts";
import { findTableKind } from "../../cluster/tables.ts";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { createInterner } from "../../model/intern.ts";
import { addr } from "../../net/addr.ts";
import { encodeMetricValue, encodePolicyHitKey, HitFlag } from "../../net/gen/bpf-maps.ts";
import type { HostDevice } from "../../policy/host-parts.ts";
import type { ShimRequest } from "../cni/shim-frame.ts";
import type { AgentConfig } from "../config/config.ts";
import type { Log } from "../log.ts";
import { OverflowWatch } from "./overflow-watch.ts";
import { PendingPods, podIsKnown } from "./pod-is-known.ts";
import { PolicyEngine } from "./policy-engine.ts";
import { type PolicyReport, policyReport } from "./policy-report.ts";
import { policyStatus } from "./policy-status.ts";

const CALICO = "projectcalico.org/v3";
const pod = (name: string, app = name) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "default", name, labels: { app } },
  spec: { nodeName: "node-1", containers: [{ name: "c" }] },
});
const NAMESPACE = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } };
const policy = (apiVersion: string, kind: string, name: string, spec: object) => ({
  ...{ apiVersion, kind, metadata: { namespace: "default", name } },
  spec,
});
const WEB = policy("networking.k8s.io/v1", "NetworkPolicy", "web", {
  podSelector: { matchLabels: { app: "web" } },
  ingress: [{ ports: [{ port: 80 }] }],
});
const SOON = policy(CALICO, "StagedNetworkPolicy", "soon", {
  selector: "app == 'web'",
  types: ["Ingress"],
  order: 1,
  ingress: [{ action: "Deny", protocol: "TCP", destination: { ports: [80] } }],
});
const ELSEWHERE = policy("networking.k8s.io/v1", "NetworkPolicy", "elsewhere", {
  podSelector: { matchLabels: { app: "nothing-here" } },
});

class Bench {
  readonly kernel = createFakeKernel();
  readonly source = new FakeSource();
  readonly interner = createInterner();
  readonly engine: PolicyEngine;
  endpoints: Endpoint[] = [];

  constructor(maxEntries = new Map<string, number>()) {
    this.kernel.loadPrograms(Uint8Array.of(1), { pinDirectory: "/sys/fs/bpf/twill", maxEntries });
    this.source.setNodes(testNode("node-1", ["192.0.2.1"], ["10.0.0.0/24"]));
    this.engine = new PolicyEngine(this.kernel, { node: "node-1", hasPods: true });
  }

  put(...objects: readonly object[]): void {
    for (const object of objects) {
      const { apiVersion, kind } = object as { apiVersion: string; kind: string };
      const of = findTableKind(apiVersion, kind);
      const parsed = of?.parse(object, this.interner);
      assert.ok(of && parsed?.ok === true, JSON.stringify(parsed));
      this.source.change({ [of.table]: [{ key: of.keyOf(parsed.value), row: parsed.value }] });
    }
  }

  remove(table: string, key: string): void {
    this.source.change({ [table]: [{ key, row: undefined }] });
  }

  attach(id: number, podName: string): void {
    const e = { id, podName, podNamespace: "default", addrs: [addr(`10.0.0.${id}`)], state: "ready", containerId: "c" };
    this.endpoints.push(e as unknown as Endpoint);
  }

  update(devices: readonly HostDevice[] = []): void {
    this.engine.update(this.source.snapshot().tables, this.endpoints, devices);
  }

  count(rule: number, packets: number): void {
    const value = Buffer.concat(
      [packets, 0].map((n) => encodeMetricValue({ packets: BigInt(n), bytes: BigInt(60 * n) })),
    );
    this.kernel.putMapRows("policy_hits", [{ key: encodePolicyHitKey({ rule }), value }]);
  }

  sources() {
    const { source, endpoints } = this;
    const problems = (["networkPolicies", "pods", undefined] as const).map((table) => ({
      table,
      key: undefined,
      subject: `${table} x/y`,
      issues: [{ path: "spec.z", message: "wrong" }],
    }));
    const state = this.engine.state();
    return { state, problem: undefined, source: source.description, endpoints, problems, waiting: [] };
  }

  report(): PolicyReport {
    const maps = ["policy_sets", "identities", "nat"].map((name) => ({
      name,
      type: "hash",
      entries: 1,
      maxEntries: 9,
    }));
    return policyReport({ ...this.sources(), hits: this.engine.hits.read(), maps });
  }
}

describe("the report", () => {
  const bench = new Bench();
  bench.put(NAMESPACE, pod("web"), WEB, SOON, ELSEWHERE);
  bench.attach(5, "web");
  bench.update();
  const of = (name: string) => {
    const found = bench.report().objects.find((o) => o.name === name);
    assert.ok(found, name);
    return found;
  };
  const numberOf = (name: string, path: string) => of(name).rules.find((r) => r.path === path)?.number ?? 0;

  test("every object, with its rules on this node and what they decided", () => {
    bench.count(numberOf("web", "spec.ingress[0]"), 7);
    bench.count(numberOf("web", "end of tier default"), 3);
    bench.count(numberOf("soon", "spec.ingress[0]") + HitFlag.stagedHit, 7);
    const web = of("web");
    assert.deepEqual(
      [web.object, web.kind, web.mode, web.tier, web.hits, web.stagedHits.packets],
      ["NetworkPolicy default/web", "NetworkPolicy", "enforce", "default", { packets: 10, bytes: 600 }, 0],
    );
    const rows = web.rules.map((r) => [r.direction, r.path, r.action, r.isolatedBy, r.hits.packets]);
    assert.deepEqual(rows.sort(), [
      ["ingress", "end of tier default", "deny", ["NetworkPolicy default/web"], 3],
      // What comes from the pod's own node.
      ["ingress", "spec.ingress", "allow", [], 0],
      ["ingress", "spec.ingress[0]", "allow", [], 7],
    ]);
  });

  test("a staged policy has what it would have decided", () => {
    const soon = of("soon");
    assert.deepEqual([soon.mode, soon.hits.packets, soon.stagedHits.packets], ["stage", 0, 7]);
  });

  test("a policy that selects no pod of this node is there, without rules", () => {
    assert.deepEqual([of("elsewhere").rules, of("elsewhere").hits.packets], [[], 0]);
  });

  test("refused objects, and the maps that hold policy", () => {
    const { problems, maps, policies, staged, refused } = bench.report();
    assert.equal(problems.length, 3);
    assert.deepEqual(problems[0], { object: "networkPolicies x/y", issues: [{ path: "spec.z", message: "wrong" }] });
    assert.deepEqual([maps.map((m) => m.name), policies, staged, refused], [["policy_sets", "identities"], 3, 1, 1]);
  });

  test("what is asked for and not enforced stands at its object", () => {
    bench.put(
      policy(CALICO, "NetworkPolicy", "l7", {
        selector: "all()",
        types: ["Ingress"],
        ingress: [{ action: "Allow", http: { methods: ["GET"] } }],
      }),
    );
    bench.update();
    const [issue] = of("l7").notEnforced;
    assert.equal(issue?.path, "spec.ingress[0]");
    assert.match(issue?.message ?? "", /^Not enforced: .*http/i);
  });
});

describe("closed pods", () => {
  const PORTS = policy("networking.k8s.io/v1", "NetworkPolicy", "many-ports", {
    podSelector: { matchLabels: { app: "web" } },
    ingress: [{ ports: Array.from({ length: 60 }, (_, i) => ({ port: 1000 + 2 * i })) }],
  });

  test("a pod whose rules do not fit is closed alone, in that direction, loudly, and until they fit", () => {
    const bench = new Bench(new Map([["policy_sets", 64]]));
    bench.put(NAMESPACE, pod("web"), pod("other"), PORTS);
    bench.attach(5, "web");
    bench.attach(6, "other");
    bench.update();
    const lines: unknown[] = [];
    const note = (level: string) => (fields: object, msg: string) => void lines.push([level, fields, msg]);
    const watch = new OverflowWatch({ error: note("error"), info: note("info") } as unknown as Log);
    const look = () => watch.note(bench.engine.state(), () => bench.endpoints);
    look();
    look();
    const reason = "Its rules need more than 32 rows";
    assert.deepEqual(policyStatus(bench.sources()).closed, [
      { key: "5", name: "default/web", why: "overflow", directions: ["ingress"], reason },
    ]);
    assert.equal(bench.engine.whyClosed(5), reason);
    assert.deepEqual(lines, [
      ["error", { endpoint: "default/web", failure: reason }, "closed an endpoint, since its policies do not fit"],
    ]);
    assert.deepEqual(watch.issues(), [
      { path: "endpoints.5", message: `default/web is closed for ingress: ${reason}` },
    ]);
    const other = bench.engine.state().tables.endpoints.get("6");
    assert.ok(other && !bench.engine.state().tables.overflow.has(other.ingress), "the other pod is not closed");
    bench.remove("networkPolicies", "default/many-ports");
    bench.update();
    look();
    assert.deepEqual([policyStatus(bench.sources()).closed, watch.issues()], [[], []]);
    assert.deepEqual(lines.slice(1), [
      ["info", { entries: 1 }, "endpoints whose policies did not fit are closed no more"],
    ]);
  });

  /** Who may come in is said by so many networks. */
  const networks = (name: string, count: number) =>
    policy("networking.k8s.io/v1", "NetworkPolicy", `from-${name}`, {
      podSelector: { matchLabels: { app: name } },
      ingress: [{ from: Array.from({ length: count }, (_, i) => ({ ipBlock: { cidr: `198.51.${i}.0/24` } })) }],
    });
  const closedOf = (bench: Bench) => policyStatus(bench.sources()).closed.map((c) => `${c.name}: ${c.reason}`);
  const entriesOf = (bench: Bench, map: string) => [...bench.kernel.mapRows(map)].length;

  test("a pod whose rules name more networks than there is room for is closed alone", () => {
    const bench = new Bench(new Map([["identities", 64]]));
    bench.put(NAMESPACE, pod("web"), pod("other"), networks("web", 40), networks("other", 10));
    bench.attach(5, "web");
    bench.attach(6, "other");
    bench.update();
    const reason = "The table of identities is full: 32 rows";
    assert.deepEqual(closedOf(bench), [`default/web: ${reason}`]);
    assert.equal(bench.engine.whyClosed(5), reason);
    assert.equal(bench.engine.whyClosed(6), undefined);
    const fill = policyStatus(bench.sources()).tables.find((t) => t.table === "identities");
    assert.deepEqual([fill?.rows, fill?.limit], [entriesOf(bench, "identities"), 32]);
    bench.remove("networkPolicies", "default/from-other");
    bench.put(networks("web", 10));
    bench.update();
    assert.deepEqual(closedOf(bench), []);
  });

  test("with more addresses than there is room for, pods are closed whose rules ask for any, until there are fewer", () => {
    const bench = new Bench(new Map([["identities", 32]]));
    bench.put(NAMESPACE, pod("web"), pod("other"), networks("web", 3), WEB);
    bench.attach(5, "web");
    bench.attach(6, "other");
    bench.update();
    assert.deepEqual(closedOf(bench), []);
    const many = Array.from({ length: 20 }, (_, i) => `p${i}`);
    for (const [i, name] of many.entries())
      bench.put({ ...pod(name), spec: { nodeName: "node-2" }, status: { podIPs: [{ ip: `10.0.1.${i}` }] } });
    bench.update();
    assert.deepEqual(closedOf(bench), ["default/web: The table of identities is full: 16 rows"]);
    assert.equal(entriesOf(bench, "identities"), 2, "everything is IPv4 or IPv6");
    for (const name of many) bench.remove("pods", `default/${name}`);
    bench.update();
    assert.deepEqual(closedOf(bench), []);
    assert.ok(entriesOf(bench, "identities") > 4);
  });

  test("with more lists of rules than there is room for, the pods that come last are closed", () => {
    const bench = new Bench(new Map([["policy_classes", 24]]));
    const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
    bench.put(NAMESPACE, ...names.map((n) => pod(n)), ...names.map((n) => networks(n, 1)));
    for (const [i, name] of names.entries()) bench.attach(10 + i, name);
    bench.update();
    const closed = closedOf(bench);
    assert.ok(closed.length > 0 && closed.length < names.length, closed.join("\n"));
    assert.match(closed[0] ?? "", /^default\/n\d+: The table of classes is full: 12 rows$/);
    assert.ok(entriesOf(bench, "policy_classes") <= 12);
    assert.equal(bench.engine.whyClosed(10), undefined, "who comes first has room");
  });

  test("the node itself is named when its rules do not fit", () => {
    const bench = new Bench(new Map([["policy_sets", 64]]));
    const hostEndpoint = { metadata: { name: "eth0" }, spec: { node: "node-1", interfaceName: "eth0" } };
    const ports = Array.from({ length: 50 }, (_, i) => 1000 + 2 * i);
    bench.put(
      { apiVersion: CALICO, kind: "HostEndpoint", ...hostEndpoint },
      {
        ...{ apiVersion: CALICO, kind: "GlobalNetworkPolicy", metadata: { name: "node-ports" } },
        spec: {
          selector: "all()",
          types: ["Ingress"],
          ingress: [{ action: "Allow", protocol: "TCP", destination: { ports } }],
        },
      },
    );
    bench.update([{ name: "eth0", ifindex: 3, addrs: [addr("192.0.2.1")] }]);
    const [closed, ...others] = policyStatus(bench.sources()).closed;
    assert.deepEqual(others, []);
    assert.deepEqual(
      [closed?.name, closed?.why, closed?.directions],
      ["the node itself (host 3)", "overflow", ["ingress"]],
    );
  });

  test("a pod that the cluster does not show is closed in both directions", () => {
    const bench = new Bench();
    bench.attach(5, "ghost");
    bench.update();
    assert.deepEqual(policyStatus(bench.sources()).closed, [
      {
        key: "5",
        name: "default/ghost",
        why: "unknown",
        directions: ["ingress", "egress"],
        reason: "The cluster does not show the pod, or not its namespace",
      },
    ]);
    assert.match(bench.engine.whyClosed(5) ?? "", /not known yet/);
    bench.put(pod("ghost"));
    bench.update();
    assert.equal(
      policyStatus(bench.sources()).closed[0]?.why,
      "unknown",
      "which namespace it is in says who selects it",
    );
    bench.put(NAMESPACE);
    bench.update();
    assert.deepEqual(policyStatus(bench.sources()).closed, []);
    bench.remove("namespaces", "default");
    bench.update();
    assert.deepEqual(policyStatus(bench.sources()).closed, [], "a namespace that goes closes none of its pods");
  });
});

test("tables and how much of them may be used", () => {
  const bench = new Bench(new Map([["policy_sets", 64]]));
  bench.update();
  const [sets, peers] = policyStatus(bench.sources()).tables;
  assert.deepEqual(
    [sets?.table, sets?.limit, peers?.table, peers?.limit],
    ["policy_sets", 32, "policy_peers", 524_288],
  );
  assert.ok((sets?.rows ?? 0) > 0);
});

test("before policy is known, and when it cannot be applied, that is the problem", () => {
  const sources = { source: "test", endpoints: [], problems: [], waiting: ["a/b"] };
  const early = policyStatus({ ...sources, state: undefined, problem: undefined });
  assert.deepEqual([early.isReady, early.waiting], [false, ["a/b"]]);
  assert.match(early.problem ?? "", /^test has not said yet/);
  const failed = policyStatus({ ...sources, state: new Bench().engine.state(), problem: "EPERM" });
  assert.deepEqual([failed.isReady, failed.problem], [false, "EPERM"]);
});

test("a pod whose start waits is named until it is known, or time is over", async () => {
  const bench = new Bench();
  const waiting = new PendingPods();
  const config = { cluster: { kind: "kube" }, policy: { startTimeoutMs: 60_000 } } as unknown as AgentConfig;
  const start = (name: string, timeoutMs = 60_000) => {
    const env = { CNI_COMMAND: "ADD", CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}` };
    const request = { env, stdin: "" } as unknown as ShimRequest;
    return podIsKnown(
      request,
      bench.source,
      { ...config, policy: { ...config.policy, startTimeoutMs: timeoutMs } },
      waiting,
    );
  };
  const [a, again] = [start("a"), start("a")];
  const late = start("b", 1);
  assert.deepEqual(waiting.names(), ["default/a", "default/b"]);
  await late;
  bench.put(pod("a"));
  assert.deepEqual(waiting.names(), ["default/a"], "its namespace is not known yet");
  bench.put(NAMESPACE);
  await Promise.all([a, again]);
  assert.deepEqual(waiting.names(), []);
});
