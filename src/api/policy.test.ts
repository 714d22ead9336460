import assert, { AssertionError } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as api from "./policy.ts";

const { namespace, networkPolicy, pod, PolicyQuestionError, policyWorld, policyWorldFromYaml, RefusedObjectsError } =
  api;
const CLOSED = networkPolicy("a/closed", { podSelector: {} });
const world = policyWorld([namespace("a"), pod("a/x"), pod("y", { ips: ["10.0.0.1"], ports: { dns: "53/UDP" } })]);

test("every kind of object that can be built is one that is taken", () => {
  const all = policyWorld([
    ...[namespace("a", { k: "v" }), pod("a/x", { node: "n", serviceAccount: "s" })],
    api.node("n", { ips: ["192.0.2.1"], podCidrs: ["10.0.0.0/24"] }),
    api.clusterNetworkPolicy("c", {
      tier: "Baseline",
      priority: 1,
      subject: { namespaces: {} },
      egress: [{ action: "Deny", to: [{ networks: ["203.0.113.0/24"] }] }],
    }),
    api.tier("t", { order: 5, defaultAction: "Pass" }),
    api.calicoNetworkPolicy("a/q", { tier: "t", selector: "all()", egress: [{ action: "Pass" }] }),
    api.globalNetworkPolicy("g", {
      selector: "all()",
      order: 1,
      ingress: [{ action: "Allow", source: { selector: "set == 'office'" } }, { action: "Pass" }],
    }),
    api.globalNetworkSet("office", ["203.0.113.128/25"], { set: "office" }),
    api.ciliumClusterwideNetworkPolicy("w", {
      endpointSelector: {},
      egressDeny: [{ toCIDR: ["198.51.100.0/24"] }],
      egress: [{ toEntities: ["all"] }],
    }),
    api.ciliumNetworkPolicy("a/d", { endpointSelector: {}, egress: [{ toFQDNs: [{ matchName: "example.com" }] }] }),
    CLOSED,
  ]);
  assert.deepEqual(all.pods, ["a/x"]);
  all.assertDenied("a/x", "198.51.100.1", "80", "CiliumClusterwideNetworkPolicy w");
  all.assertAllowed("203.0.113.200", "a/x", "80", "GlobalNetworkPolicy g");
  assert.deepEqual(
    all.notEnforced.map((n) => n.ref.name),
    ["d"],
  );
});

test("with() and without() make other worlds and leave the first as it was", () => {
  const closed = world.with(CLOSED);
  closed.assertDenied("default/y", "a/x", "80");
  world.assertAllowed("default/y", "a/x", "80");
  closed.without(CLOSED).assertAllowed("default/y", "a/x", "80");
  const open = closed.with(networkPolicy("a/closed", { podSelector: {}, ingress: [{}] }));
  open.assertAllowed("default/y", "a/x", "80", "NetworkPolicy a/closed");
  assert.throws(() => world.without(CLOSED), /Cannot take away "networkPolicies a\/closed": it is not there/);
});

test("an assertion that does not hold says which rule is in the way", () => {
  const closed = world.with(CLOSED);
  assert.throws(
    () => closed.assertAllowed(["default/y", "203.0.113.1"], "a/x", "80,81/UDP"),
    (e) =>
      e instanceof AssertionError &&
      /^Expected to be allowed:\ndefault\/y → a\/x 80\/TCP is denied: ingress end of tier default\n/.test(e.message),
  );
  assert.throws(() => world.assertDenied("default/y", "a/x", "80"), /is allowed: egress no policy speaks about it/);
});

test("what is refused and what cannot be asked", () => {
  assert.throws(
    () =>
      policyWorldFromYaml(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: p }\nspec: { pods: {} }\n",
      ),
    (e) =>
      e instanceof RefusedObjectsError &&
      e.refused.length === 1 &&
      /text#1 NetworkPolicy default\/p: spec\.pods: Unknown/.test(e.message),
  );
  for (const ask of [
    () => world.explain("a/z", "a/x", "80"),
    () => world.explain("a/x", "default/y", "http/UDP"),
    () => world.matrix("x y"),
  ])
    assert.throws(ask, PolicyQuestionError);
  assert.equal(policyWorld([pod("a/x"), pod("a/y")], { mode: "always" }).explain("a/x", "a/y", "80").isAllowed, false);
  assert.match(world.explain("a/x", "default/y", "dns/UDP").text, /^a\/x → default\/y {2}dns\/UDP\nIPv4 /);
});

test("a project of its own imports twill/policy and runs its tests", async () => {
  const dir = await mkdtemp(join(tmpdir(), "twill-project-"));
  try {
    await mkdir(join(dir, "node_modules"));
    // As npm does for a dependency that is a folder.
    await symlink(fileURLToPath(new URL("../..", import.meta.url)), join(dir, "node_modules", "twill"));
    await writeFile(
      join(dir, "my.test.mts"),
      `import { test } from "node:test";
       import { pod, policyWorld } from "twill/policy";
       test("reaches", () => policyWorld([pod("a/x"), pod("a/y")]).assertAllowed("a/x", "a/y", "80/TCP"));`,
    );
    const { NODE_TEST_CONTEXT: _own, ...env } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, ["--test", "my.test.mts"], { cwd: dir, env });
    assert.match(stdout, /pass 1/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("a node speaks to pods from the first address of its pod CIDR, as its stack does, unless another is named", () => {
  const world = policyWorld([
    api.node("n1", { ips: ["192.0.2.1"], podCidrs: ["10.244.1.0/24"] }),
    api.node("n2", { ips: ["192.0.2.2"], podCidrs: ["10.244.2.0/24"] }),
    pod("a/x", { node: "n2", ips: ["10.244.2.7"] }),
  ]);
  const from = (cidr: string) =>
    world.with(networkPolicy("a/p", { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr } }] }] }));
  from("192.0.2.1/32").assertDenied("n1", "a/x", "80/TCP");
  from("192.0.2.1/32").assertAllowed("192.0.2.1", "a/x", "80/TCP");
  from("10.244.1.1/32").assertAllowed("n1", "a/x", "80/TCP");
  assert.equal(world.explain("n1", "a/x", "80/TCP").flow.families[0]?.from.text, "10.244.1.1");
  assert.equal(world.explain("a/x", "n1", "80/TCP").flow.families[0]?.to.text, "192.0.2.1");
});

test("what is about nodes, and what is not enforced yet, can be built as well", () => {
  const more = policyWorld([
    api.node("n1", { ips: ["192.0.2.1"], labels: { role: "edge" } }),
    api.ciliumClusterwideNetworkPolicy("host", {
      nodeSelector: { matchLabels: { role: "edge" } },
      labels: [{ key: "team", value: "net", source: "k8s" }],
      ingress: [{ fromEntities: ["cluster"], authentication: { mode: "disabled" } }],
    }),
    api.globalNetworkPolicy("web", {
      performanceHints: ["AssumeNeededOnEveryNode"],
      ingress: [{ action: "Allow", protocol: "TCP", http: { methods: ["GET"], paths: [{ prefix: "/" }] } }],
    }),
  ]);
  more.assertDenied("203.0.113.7", "n1", "80/TCP", "end of tier default");
  assert.deepEqual(
    more.notEnforced.map((n) => n.ref.name),
    ["web"],
  );
});

test("a service's address is told from others: packets are judged by the backend that they are given", () => {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "db", namespace: "a" },
    spec: { clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"], ports: [{ port: 80 }] },
  };
  const { text, flow } = world.with(service).explain("a/x", "10.96.0.10", "80/TCP");
  assert.equal(flow.service, "a/db");
  assert.match(text, /\n {2}10\.96\.0\.10 is an address of Service a\/db: packets are judged by the backend/);
  assert.equal(world.explain("a/x", "10.96.0.10", "80/TCP").flow.service, undefined);
});
