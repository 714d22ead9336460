import assert from "node:assert/strict";
import { test } from "node:test";
import { findEnd } from "../../policy/ask/ends.ts";
import { explainFlow } from "../../policy/ask/explain-flow.ts";
import { explainJson, explainText, NO_PAINT } from "../../policy/ask/explain-text.ts";
import { notEnforced } from "../../policy/ask/not-enforced.ts";
import { parseTraffic } from "../../policy/ask/traffic-text.ts";
import { readFiles } from "./read-once.ts";
import { worldOfFiles } from "./world-of-files.ts";

const pod = (name: string, more = "") => `
apiVersion: v1
kind: Pod
metadata: { namespace: a, name: ${name}, labels: { app: ${name} } }
spec: { containers: [] ${more} }
---`;
const ISOLATED = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: a, name: only-x }
spec: { podSelector: { matchLabels: { app: y } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: x } } }] }] }
---`;
const world = (...texts: string[]) => worldOfFiles(readFiles(texts.map((text, i) => ({ path: `f${i}`, text }))));

function explain(of: ReturnType<typeof world>, from: string, to: string, port = "80") {
  const [f, t, p] = [findEnd(of.world, from), findEnd(of.world, to), parseTraffic(port)];
  assert.ok(f.ok && t.ok && p.ok);
  const e = explainFlow(of.world, f.value, t.value, p.value);
  assert.ok(e.ok);
  return e.value;
}

test("pods without addresses get some, of the families that the others have, the same each time", () => {
  const four = world(pod("x"), pod("y"), ISOLATED);
  assert.deepEqual(four.madeUp, ["a/x", "a/y"]);
  assert.deepEqual(
    four.world.pods.get("a/y")?.addrs.map((a) => a.text),
    ["198.18.0.2"],
  );
  assert.equal(explain(four, "a/x", "a/y").isAllowed, true);
  assert.equal(explain(four, "198.18.0.1", "a/y").from.name, "a/x");
  assert.equal(explain(four, "192.0.2.1", "a/y").isAllowed, false);
  const node = `
apiVersion: v1
kind: Node
metadata: { name: n }
status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }, { type: InternalIP, address: "2001:db8::1" }] }
---`;
  const both = world(pod("x"), node);
  assert.deepEqual(
    both.world.pods.get("a/x")?.addrs.map((a) => a.text),
    ["198.18.0.1", "2001:2::1"],
  );
});

test("a policy of a version or kind that is a mistake is refused, not passed over as none of our business", () => {
  const wrong = (apiVersion: string, kind: string) =>
    `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: p, namespace: a }\nspec: { podSelector: {} }\n`;
  const of = world(
    pod("x"),
    wrong("networking.k8s.io/v1beta1", "NetworkPolicy"),
    wrong("networking.k8s.io/v1", "NetworkPolcy"),
    wrong("apps/v1", "Widget"),
  );
  assert.deepEqual(
    of.refused.map((r) => `${r.file} ${r.kind} ${r.name} ${r.issues[0]?.path}`),
    ["f1 NetworkPolicy p apiVersion", "f2 NetworkPolcy p kind"],
  );
});

test("a pod of the node's network is its node, and pods without any address are told why", () => {
  const node =
    "apiVersion: v1\nkind: Node\nmetadata: { name: n }\nstatus: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] }\n";
  const of = world(
    pod("x", ", hostNetwork: true"),
    node,
    pod("done").replace("---", "status: { phase: Failed, podIP: 10.0.0.9 }\n---"),
  );
  const lost = findEnd(of.world, "a/x");
  assert.ok(!lost.ok);
  assert.match(lost.error, /shares the network of node "", whose addresses are not known/);
  const there = world(pod("x", ", hostNetwork: true, nodeName: n"), node);
  const end = findEnd(there.world, "a/x");
  assert.ok(end.ok);
  assert.equal(end.value.name, "n");
  const done = findEnd(of.world, "a/done");
  assert.ok(!done.ok);
  assert.match(done.error, /has ended \(Failed\)/);
});

test("what is refused closes what it may select, and says where it stands", () => {
  const of = world(ISOLATED.replace("ingress:", "ingres:"), pod("y"), "kind: Pod\n");
  assert.deepEqual(
    of.refused.map((r) => [r.file, r.place, r.kind, r.name, r.issues[0]?.path]),
    [
      ["f0", "1", "NetworkPolicy", "a/only-x", "spec.ingres"],
      ["f2", "1", undefined, "", "apiVersion"],
    ],
  );
  assert.equal(explain(of, "192.0.2.1", "a/y").isAllowed, false);
});

test("staged policies are told apart; long runs of rules about others are one line", () => {
  const staged = `
apiVersion: projectcalico.org/v3
kind: StagedNetworkPolicy
metadata: { namespace: a, name: later }
spec: { selector: all(), ingress: [${"{ action: Allow, source: { selector: app == 'z' } }, ".repeat(8)}] }
---`;
  const flow = explain(world(pod("x"), pod("y"), staged), "a/x", "a/y");
  assert.deepEqual([flow.isAllowed, flow.families[0]?.isAllowedWithStaged], [true, false]);
  const text = explainText(flow, { paint: NO_PAINT, isFull: false });
  assert.match(text, /… 9 rules of 1 policy that are not about this flow or not reached/);
  assert.match(text, /With staged policies enforced: DENIED/);
  assert.equal(explainText(flow, { paint: NO_PAINT, isFull: true }).match(/about others/g)?.length, 9);
  assert.equal(JSON.parse(JSON.stringify(explainJson(flow))).families[0].verdictWithStaged, "denied");
});

test("what is asked for and not enforced is found once for each place", () => {
  const dns = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { namespace: a, name: dns }
spec: { endpointSelector: {}, egress: [{ toFQDNs: [{ matchName: example.com }] }] }
---`;
  const found = notEnforced(world(dns).world.rules.policies);
  assert.deepEqual(
    found.map((n) => [n.ref.name, n.path, n.what.length]),
    [["dns", "spec.egress[0]", 1]],
  );
});

test("workloads are asked about by their templates, unless a pod of theirs is there", () => {
  const deployment = (name: string, labels: string, more = "") => `
apiVersion: apps/v1
kind: Deployment
metadata: { namespace: a, name: ${name} ${more} }
spec: { template: { metadata: { labels: ${labels} }, spec: { containers: [{ name: c, ports: [{ name: http, containerPort: 80 }] }] } } }
---`;
  const cron = `
apiVersion: batch/v1
kind: CronJob
metadata: { namespace: a, name: nightly }
spec: { jobTemplate: { spec: { template: { metadata: { labels: { app: nightly } }, spec: {} } } } }
---`;
  const owned = deployment("x-7f9", "{ app: x }", ", ownerReferences: [{}]");
  const of = world(
    deployment("x", "{ app: x }"),
    deployment("y", "{ app: y, tier: back }"),
    cron,
    owned,
    pod("y").replace("app: y", "app: y, tier: back"),
    ISOLATED,
  );
  assert.deepEqual(of.workloads, ["a/x", "a/nightly"]);
  assert.deepEqual([...of.world.pods.keys()].sort(), ["a/nightly", "a/x", "a/y"]);
  assert.equal(explain(of, "a/x", "a/y").isAllowed, true);
  assert.equal(explain(of, "a/nightly", "a/y").isAllowed, false);
  assert.equal(explain(of, "a/y", "a/x", "http/TCP").isAllowed, true);
  const bad = world(deployment("z", "{ app: 5 }"));
  assert.deepEqual(
    bad.refused.map((r) => [r.kind, r.issues[0]?.path]),
    [["Deployment", "spec.template.metadata.labels.app"]],
  );
});

test("a node is asked where a host endpoint or a policy of nodes speaks of it, and never about its own pods", () => {
  const node = (name: string, ip: string) =>
    `apiVersion: v1\nkind: Node\nmetadata: { name: ${name} }\nstatus: { addresses: [{ type: InternalIP, address: ${ip} }] }\n---\n`;
  const nodes = node("n", "192.0.2.1") + node("m", "192.0.2.2");
  const pods = pod("x", ", nodeName: n") + pod("y", ", nodeName: m");
  const hostEndpoint = (interfaceName: string) => `
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: { name: h, labels: { role: node } }
spec: { node: n, interfaceName: "${interfaceName}" }
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: web }
spec: { selector: role == 'node', types: [Ingress, Egress], ingress: [{ action: Allow, protocol: TCP, destination: { ports: [80] } }] }
---`;
  const allowed = (of: ReturnType<typeof world>, from: string, to: string, port = "81") =>
    explain(of, from, to, port).isAllowed;
  const free = world(nodes, pods);
  assert.equal(allowed(free, "203.0.113.1", "n"), true);
  const all = world(nodes, pods, hostEndpoint("*"));
  assert.equal(allowed(all, "203.0.113.1", "n", "80"), true);
  assert.equal(allowed(all, "203.0.113.1", "n"), false);
  assert.equal(allowed(all, "203.0.113.1", "n", "22"), true, "a failsafe port");
  assert.equal(allowed(all, "203.0.113.1", "m"), true, "nobody speaks of the other node");
  assert.equal(allowed(all, "a/x", "n"), false);
  assert.equal(allowed(all, "n", "203.0.113.1"), false);
  assert.equal(allowed(all, "n", "a/x"), true, "its own pod");
  assert.equal(allowed(all, "n", "a/y"), false, "another's pod");
  const device = world(nodes, pods, hostEndpoint("eth0"));
  assert.equal(allowed(device, "203.0.113.1", "n"), false);
  assert.equal(allowed(device, "m", "n"), false);
  assert.equal(allowed(device, "a/x", "n"), true, "pods do not come by that device");
  const cilium = `
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: { name: c }
spec: { nodeSelector: {}, ingress: [{ fromEntities: [remote-node] }] }
---`;
  const both = world(nodes, pods, cilium);
  assert.deepEqual(
    [allowed(both, "m", "n"), allowed(both, "203.0.113.1", "n"), allowed(both, "a/x", "n")],
    [true, false, false],
  );
  assert.match(
    explainText(explain(both, "a/x", "n"), { paint: NO_PAINT, isFull: false }),
    /ingress of n: DENIED, end of tier default/,
  );
});
