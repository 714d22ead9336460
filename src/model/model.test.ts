import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Issue } from "../base/issue.ts";
import type { Result } from "../base/result.ts";
import { createInterner } from "./intern.ts";
import { parseNamespace } from "./namespace.ts";
import { parseNode } from "./node.ts";
import { hasOwnAddresses, parsePod, podKey } from "./pod.ts";

function good<T>(r: Result<T, readonly Issue[]>): T {
  if (!r.ok) assert.fail(`refused: ${JSON.stringify(r.error)}`);
  return r.value;
}

function bad(r: Result<unknown, readonly Issue[]>): string[] {
  if (r.ok) assert.fail("accepted");
  return r.error.map((i) => `${i.path}: ${i.message}`);
}

const fresh = () => createInterner();

test("a node keeps what networking needs and nothing else", () => {
  const node = good(
    parseNode(
      {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: "node-1", uid: "u1", labels: { a: "b" }, annotations: { c: "d" }, managedFields: [{}] },
        spec: {
          podCIDR: "10.244.1.0/24",
          podCIDRs: ["10.244.1.0/24", "fd00:10:244:1::/64"],
          taints: [{ key: "k", effect: "NoSchedule" }],
        },
        status: {
          addresses: [
            { type: "InternalIP", address: "192.168.77.11" },
            { type: "InternalIP", address: "FD00:77::11" },
            { type: "ExternalIP", address: "203.0.113.7" },
            { type: "Hostname", address: "node-1" },
          ],
          images: [{ names: ["x"] }],
        },
      },
      fresh(),
    ),
  );
  assert.deepEqual(
    { ...node, podCidrs: node.podCidrs.map((p) => p.text), internalIps: node.internalIps.map((a) => a.text) },
    {
      name: "node-1",
      uid: "u1",
      podCidrs: ["10.244.1.0/24", "fd00:10:244:1::/64"],
      internalIps: ["192.168.77.11", "fd00:77::11"],
      reportedIps: node.internalIps,
      externalIps: node.externalIps,
      labels: new Map([["a", "b"]]),
      annotations: new Map([["c", "d"]]),
      taints: [{ key: "k", value: "", effect: "NoSchedule" }],
      poolCidrs: [],
      hasNetwork: false,
    },
  );
  assert.deepEqual(
    node.externalIps.map((a) => a.text),
    ["203.0.113.7"],
  );
});

const ANNOUNCED: readonly (readonly [announced: string, internal: readonly string[], expected: string])[] = [
  ["10.0.0.9", ["192.168.77.11", "fd00:77::11"], "10.0.0.9,192.168.77.11,fd00:77::11"],
  ["10.0.0.9,fd00::9", ["fd00:77::11", "192.168.77.11"], "fd00::9,fd00:77::11,10.0.0.9,192.168.77.11"],
  ["192.168.77.12", ["192.168.77.11", "192.168.77.12"], "192.168.77.12,192.168.77.11"],
  ["fd00::9", ["192.168.77.11"], "192.168.77.11,fd00::9"],
  ["nonsense, 10.0.0.9,10.0.0.8", ["192.168.77.11"], "10.0.0.9,192.168.77.11"],
  ["", ["192.168.77.11"], "192.168.77.11"],
];

for (const [announced, internal, expected] of ANNOUNCED)
  test(`what an agent announced comes first in its family: "${announced}"`, () => {
    const node = good(
      parseNode(
        {
          metadata: { name: "n", annotations: { "twill.dev/node-addresses": announced } },
          status: { addresses: internal.map((address) => ({ type: "InternalIP", address })) },
        },
        fresh(),
      ),
    );
    assert.equal(node.internalIps.map((a) => a.text).join(), expected);
    assert.deepEqual(
      node.reportedIps.map((a) => a.text),
      internal,
    );
  });

test("a node with only podCIDR is understood", () => {
  const node = good(parseNode({ metadata: { name: "n" }, spec: { podCIDR: "10.0.0.0/24" } }, fresh()));
  assert.deepEqual(
    node.podCidrs.map((p) => p.text),
    ["10.0.0.0/24"],
  );
});

test("all issues of a node are reported, each with its path", () => {
  const value = {
    metadata: { labels: { x: 1 } },
    spec: { podCIDRs: ["10.0.0.1/24", "10.1.0.0/24", "10.2.0.0/24", 5], taints: [{ value: "v" }] },
    status: { addresses: [{ type: "InternalIP", address: "010.0.0.1" }, "nonsense"] },
  };
  const lines = bad(parseNode(value, fresh()));
  for (const wanted of [
    /^metadata\.name: A value is required$/,
    /^metadata\.labels\.x: Expected a string, not a number$/,
    /^spec\.podCIDRs: "10\.0\.0\.1\/24" has host bits set: "10\.0\.0\.0\/24" would be right$/,
    /^spec\.podCIDRs: "10\.2\.0\.0\/24" is a second IPv4 CIDR/,
    /^spec\.podCIDRs\[3\]: Expected a string/,
    /^spec\.taints\[0\]\.key: A value is required$/,
    /^spec\.taints\[0\]\.effect: A value is required$/,
    /^status\.addresses\[0\]\.address: "010\.0\.0\.1" is not an IP address$/,
    /^status\.addresses\[1\]: Expected an object, not a string$/,
  ])
    assert.ok(
      lines.some((l) => wanted.test(l)),
      `${wanted} in ${lines.join("\n")}`,
    );
  assert.equal(new Set(lines).size, lines.length, "no issue twice");
});

const podOf = (spec: object, status: object = {}) => ({ metadata: { name: "p", namespace: "ns" }, spec, status });

test("pods: defaults, host network, both forms of addresses, ports of containers and sidecars", () => {
  const p = good(
    parsePod(
      podOf(
        {
          nodeName: "n1",
          serviceAccountName: "sa",
          initContainers: [
            { ports: [{ containerPort: 1 }] },
            { restartPolicy: "Always", ports: [{ name: "side", containerPort: 2, protocol: "SCTP" }] },
          ],
          containers: [{ ports: [{ name: "web", containerPort: 80 }] }, {}],
        },
        { phase: "Running", podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] },
      ),
      fresh(),
    ),
  );
  assert.deepEqual(
    p.podIps.map((a) => a.text),
    ["10.0.0.1", "fd00::1"],
  );
  assert.deepEqual(p.ports, [
    { name: "side", port: 2, protocol: "SCTP" },
    { name: "web", port: 80, protocol: "TCP" },
  ]);
  assert.equal(p.serviceAccount, "sa");
  assert.equal(p.nodeName, "n1");
  assert.ok(hasOwnAddresses(p));

  const bare = good(parsePod({ metadata: { name: "p" } }, fresh()));
  assert.deepEqual(
    [bare.namespace, bare.nodeName, bare.phase, bare.serviceAccount, bare.isHostNetwork, bare.podIps.length],
    ["default", undefined, "Pending", "default", false, 0],
  );
  assert.equal(podKey(bare.namespace, bare.name), "default/p");
  for (const [spec, status] of [
    [{ hostNetwork: true }, { phase: "Running", podIP: "192.0.2.1" }],
    [{}, { phase: "Succeeded", podIP: "192.0.2.1" }],
    [{}, { phase: "Failed", podIP: "192.0.2.1" }],
    [{}, { phase: "Pending" }],
  ] as const)
    assert.equal(hasOwnAddresses(good(parsePod(podOf(spec, status), fresh()))), false, JSON.stringify([spec, status]));
});

test("all issues of a pod are reported", () => {
  const lines = bad(
    parsePod(
      podOf(
        { containers: [{ ports: [{ containerPort: 0, protocol: "tcp" }, {}] }], hostNetwork: "yes" },
        { phase: "Gone", podIPs: [{ ip: "1.2.3" }] },
      ),
      fresh(),
    ),
  );
  assert.deepEqual(lines.sort(), [
    "spec.containers[0].ports[0].containerPort: 0 is not an integer from 1 to 65535",
    'spec.containers[0].ports[0].protocol: "tcp" is not one of TCP, UDP, SCTP',
    "spec.containers[0].ports[1].containerPort: A value is required",
    "spec.hostNetwork: Expected true or false, not a string",
    'status.phase: "Gone" is not one of Pending, Running, Succeeded, Failed, Unknown',
    'status.podIPs[0].ip: "1.2.3" is not an IP address',
  ]);
});

test("a namespace always has its name as a label", () => {
  for (const labels of [undefined, {}, { "kubernetes.io/metadata.name": "other" }]) {
    const ns = good(parseNamespace({ metadata: { name: "web", labels } }, fresh()));
    assert.equal(ns.labels.get("kubernetes.io/metadata.name"), "web");
  }
  assert.deepEqual(bad(parseNamespace({}, fresh())), ["metadata: A value is required"]);
});

test("equal label sets are one object, and the interner stays bounded", () => {
  const interner = createInterner(2);
  const ns = (name: string, labels: object) => good(parseNamespace({ metadata: { name, labels } }, interner));
  const one = interner.labels([["app", "web"]]);
  assert.equal(interner.labels([["app", "web"]]), one);
  for (let i = 0; i < 100; i++) ns(`n${i}`, { i: `${i}` });
  assert.deepEqual(interner.labels([["app", "web"]]), one, "equal still, if no longer the same");
});

test("label sets that differ, in their order too, are told apart, whatever came before", () => {
  const text = fc.constantFrom("", "a", "b", "ab", "\uffff");
  const entries = fc.uniqueArray(fc.tuple(text, text), { selector: ([key]) => key, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 20 }), (all) => {
      const interner = createInterner();
      for (const one of all) {
        const labels = interner.labels(one);
        assert.deepEqual([...labels], one);
        assert.equal(interner.labels(one), labels);
      }
    }),
  );
});

test("labels named as members of Object.prototype are ordinary", () => {
  const raw = JSON.parse('{"metadata":{"name":"n","labels":{"__proto__":"x","constructor":"y"}}}');
  const ns = good(parseNamespace(raw, fresh()));
  assert.equal(ns.labels.get("__proto__"), "x");
  assert.equal(ns.labels.get("constructor"), "y");
  assert.equal(ns.labels.get("toString"), undefined);
});

test("no JSON makes a parser throw", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.jsonValue({ maxDepth: 4 }), (a, b) => {
      for (const value of [
        a,
        { metadata: a, spec: b, status: b },
        { metadata: { name: "x" }, spec: { containers: [a] } },
      ])
        for (const parse of [parseNode, parsePod, parseNamespace]) {
          const r = parse(value, fresh());
          if (!r.ok) assert.ok(r.error.length > 0);
        }
    }),
  );
});
