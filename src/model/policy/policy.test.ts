import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issue } from "../../base/issue.ts";
import type { Result } from "../../base/result.ts";
import { createInterner, type Interner } from "../intern.ts";
import { parseAdminNetworkPolicy, parseBaselineAdminNetworkPolicy } from "./admin-network-policy.ts";
import { parseClusterNetworkPolicy } from "./cluster-network-policy.ts";
import { isLabelKey, isLabelValue } from "./label-selector.ts";
import { parseNetworkPolicy } from "./network-policy.ts";
import { isPortName } from "./port.ts";

type Parse = (value: unknown, interner: Interner) => Result<unknown, readonly Issue[]>;

const knp = (spec: unknown) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "p", namespace: "x" },
  spec,
});
const cnp = (spec: object) => ({
  apiVersion: "policy.networking.k8s.io/v1alpha2",
  kind: "ClusterNetworkPolicy",
  metadata: { name: "p" },
  spec: { tier: "Admin", priority: 1, subject: { namespaces: {} }, ...spec },
});
const anp = (spec: object) => ({
  metadata: { name: "p" },
  spec: { priority: 1, subject: { namespaces: {} }, ...spec },
});
const banp = (spec: object, name = "default") => ({
  metadata: { name },
  spec: { subject: { namespaces: {} }, ...spec },
});
const from = (peer: unknown) => knp({ podSelector: {}, ingress: [{ from: [peer] }] });
const port = (p: unknown) => knp({ podSelector: {}, ingress: [{ ports: [p] }] });
const accept = (rule: object) => cnp({ egress: [{ action: "Accept", to: [{ namespaces: {} }], ...rule }] });

test("ClusterNetworkPolicy is the same in both of its versions, and in no other", () => {
  const of = (apiVersion: string) => parseClusterNetworkPolicy({ ...accept({}), apiVersion }, createInterner());
  const [older, newer] = [of("policy.networking.k8s.io/v1alpha2"), of("policy.networking.k8s.io/v1beta1")];
  assert.ok(older.ok && newer.ok);
  assert.deepEqual(newer.value, older.value);
  assert.equal(of("policy.networking.k8s.io/v1alpha1").ok, false);
});

const REFUSED: readonly (readonly [Parse, unknown, readonly string[]])[] = [
  [parseNetworkPolicy, 7, ["", "metadata", "spec"]],
  [parseNetworkPolicy, { ...knp({}), kind: "Networkpolicy" }, ["kind"]],
  [parseNetworkPolicy, knp({ podSelector: {}, ingres: [] }), ["spec.ingres"]],
  [parseNetworkPolicy, knp({ podSelector: { matchLabel: {} } }), ["spec.podSelector.matchLabel"]],
  [parseNetworkPolicy, knp({ podSelector: { matchLabels: { "a b": "c" } } }), ['spec.podSelector.matchLabels["a b"]']],
  [parseNetworkPolicy, knp({ podSelector: { matchLabels: { a: "c d" } } }), ["spec.podSelector.matchLabels.a"]],
  [
    parseNetworkPolicy,
    knp({ podSelector: { matchExpressions: [{ key: "a", operator: "in", values: ["b"] }] } }),
    ["spec.podSelector.matchExpressions[0].operator"],
  ],
  [
    parseNetworkPolicy,
    knp({ podSelector: { matchExpressions: [{ key: "a", operator: "In" }] } }),
    ["spec.podSelector.matchExpressions[0].values"],
  ],
  [
    parseNetworkPolicy,
    knp({ podSelector: { matchExpressions: [{ key: "a", operator: "Exists", values: ["b"] }] } }),
    ["spec.podSelector.matchExpressions[0].values"],
  ],
  [parseNetworkPolicy, knp({ podSelector: {}, policyTypes: ["ingress"] }), ["spec.policyTypes[0]"]],
  [parseNetworkPolicy, from({}), ["spec.ingress[0].from[0]"]],
  [parseNetworkPolicy, from({ ipBlock: { cidr: "10.0.0.0/8" }, podSelector: {} }), ["spec.ingress[0].from[0]"]],
  [parseNetworkPolicy, from({ ipBlock: {} }), ["spec.ingress[0].from[0].ipBlock.cidr"]],
  [parseNetworkPolicy, from({ ipBlock: { cidr: "10.0.0.0" } }), ["spec.ingress[0].from[0].ipBlock.cidr"]],
  [
    parseNetworkPolicy,
    from({ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/9", "10.0.0.0/8"] } }),
    ["spec.ingress[0].from[0].ipBlock.except[0]", "spec.ingress[0].from[0].ipBlock.except[1]"],
  ],
  [parseNetworkPolicy, port({ protocol: "ICMP" }), ["spec.ingress[0].ports[0].protocol"]],
  [parseNetworkPolicy, port({ port: 0 }), ["spec.ingress[0].ports[0].port"]],
  [parseNetworkPolicy, port({ port: "UPPER" }), ["spec.ingress[0].ports[0].port"]],
  [parseNetworkPolicy, port({ endPort: 90 }), ["spec.ingress[0].ports[0].endPort"]],
  [parseNetworkPolicy, port({ port: "web", endPort: 90 }), ["spec.ingress[0].ports[0].endPort"]],
  [parseNetworkPolicy, port({ port: 90, endPort: 80 }), ["spec.ingress[0].ports[0].endPort"]],
  [parseNetworkPolicy, port({ prot: "TCP" }), ["spec.ingress[0].ports[0].prot"]],
  [parseClusterNetworkPolicy, cnp({ tier: "admin" }), ["spec.tier"]],
  [parseClusterNetworkPolicy, cnp({ priority: 1001 }), ["spec.priority"]],
  [parseClusterNetworkPolicy, cnp({ subject: {} }), ["spec.subject"]],
  [parseClusterNetworkPolicy, cnp({ subject: { namespaces: {}, pods: { podSelector: {} } } }), ["spec.subject"]],
  [parseClusterNetworkPolicy, cnp({ ingress: [{ action: "Accept" }] }), ["spec.ingress[0].from"]],
  [parseClusterNetworkPolicy, cnp({ ingress: [{ from: [{ namespaces: {} }] }] }), ["spec.ingress[0].action"]],
  [
    parseClusterNetworkPolicy,
    cnp({ ingress: [{ action: "Allow", from: [{ networks: ["10.0.0.0/8"] }] }] }),
    ["spec.ingress[0].action", "spec.ingress[0].from[0].networks", "spec.ingress[0].from[0]"],
  ],
  [parseClusterNetworkPolicy, accept({ to: [{ networks: [] }] }), ["spec.egress[0].to[0].networks"]],
  [parseClusterNetworkPolicy, accept({ to: [{ domainNames: ["a*.b"] }] }), ["spec.egress[0].to[0].domainNames[0]"]],
  [parseClusterNetworkPolicy, accept({ action: "Deny", to: [{ domainNames: ["a.b"] }] }), ["spec.egress[0].to"]],
  [parseClusterNetworkPolicy, accept({ protocols: [{}] }), ["spec.egress[0].protocols[0]"]],
  [parseClusterNetworkPolicy, accept({ protocols: [] }), ["spec.egress[0].protocols"]],
  [
    parseClusterNetworkPolicy,
    accept({ protocols: [{ tcp: { destinationPort: { range: { start: 9, end: 8 } } } }] }),
    ["spec.egress[0].protocols[0].tcp.destinationPort.range.end"],
  ],
  [
    parseClusterNetworkPolicy,
    accept({ to: [{ networks: ["10.0.0.0/8"] }], protocols: [{ destinationNamedPort: "web" }] }),
    ["spec.egress[0].protocols"],
  ],
  [parseClusterNetworkPolicy, accept({ name: "n".repeat(101) }), ["spec.egress[0].name"]],
  [parseAdminNetworkPolicy, anp({ tier: "Admin" }), ["spec.tier"]],
  [
    parseAdminNetworkPolicy,
    anp({ ingress: [{ action: "Accept", from: [{ namespaces: {} }] }] }),
    ["spec.ingress[0].action"],
  ],
  [
    parseAdminNetworkPolicy,
    anp({ ingress: [{ action: "Allow", from: [{ namespaces: {} }], ports: [{ portNumber: { protocol: "TCP" } }] }] }),
    ["spec.ingress[0].ports[0].portNumber.port"],
  ],
  [parseBaselineAdminNetworkPolicy, banp({}, "other"), ["metadata.name"]],
  [parseBaselineAdminNetworkPolicy, banp({ priority: 1 }), ["spec.priority"]],
  [
    parseBaselineAdminNetworkPolicy,
    banp({ ingress: [{ action: "Pass", from: [{ namespaces: {} }] }] }),
    ["spec.ingress[0].action"],
  ],
];

for (const [parse, value, paths] of REFUSED)
  test(`${parse.name}() refuses ${JSON.stringify((value as { spec?: unknown }).spec ?? value)} with path and reason`, () => {
    const result = parse(value, createInterner());
    assert.ok(!result.ok);
    assert.deepEqual(
      result.error.map((i) => i.path),
      paths,
    );
    for (const issue of result.error) assert.match(issue.message, /^["A-Z0-9[].{10,}[^.]$|^(ip|domain)/);
  });

test("a misspelt field is named with what was meant", () => {
  const result = parseNetworkPolicy(knp({ podSelector: {}, policyType: ["Egress"] }), createInterner());
  assert.ok(!result.ok);
  assert.deepEqual(result.error, [
    { path: "spec.policyType", message: 'Unknown field "policyType": did you mean "policyTypes"?' },
  ]);
});

test("all issues come at once", () => {
  const spec = { podSelector: { x: 1 }, ingress: [{ from: [{}], ports: [{ port: 70000 }] }], egress: "all" };
  const result = parseNetworkPolicy(knp(spec), createInterner());
  assert.ok(!result.ok);
  assert.ok(result.error.length >= 4, JSON.stringify(result.error));
});

test("host bits of a CIDR are cleared, as the API server accepts them", () => {
  const result = parseNetworkPolicy(
    from({ ipBlock: { cidr: "10.1.2.3/8", except: ["10.9.9.9/32"] } }),
    createInterner(),
  );
  assert.ok(result.ok);
  const [peer] = result.value.ingress[0]!.peers;
  assert.ok(peer?.kind === "block");
  assert.deepEqual([peer.cidr.text, peer.except.map((e) => e.text)], ["10.0.0.0/8", ["10.9.9.9/32"]]);
});

test("a peer that an API server emptied is kept as unknown", () => {
  const result = parseClusterNetworkPolicy(cnp({ ingress: [{ action: "Deny", from: [{}] }] }), createInterner());
  assert.ok(result.ok);
  assert.deepEqual(result.value.ingress[0]?.peers, [{ kind: "unknown" }]);
});

test("the predecessors of ClusterNetworkPolicy mean the same", () => {
  const rule = { action: "Allow", to: [{ networks: ["10.0.0.0/8"] }], ports: [{ portRange: { start: 1, end: 9 } }] };
  const old = parseAdminNetworkPolicy(anp({ egress: [rule] }), createInterner());
  const traffic = { protocols: [{ tcp: { destinationPort: { range: { start: 1, end: 9 } } } }] };
  const now = parseClusterNetworkPolicy(accept({ to: rule.to, ...traffic }), createInterner());
  assert.ok(old.ok && now.ok);
  assert.deepEqual(old.value, { ...now.value, kind: "AdminNetworkPolicy" });
});

test("label and port names are Kubernetes'", () => {
  for (const good of ["app", "a.b/c", "a-b.example.org/C_d.e"]) assert.ok(isLabelKey(good), good);
  for (const bad of ["", "/a", "a/", "A/b", "-a", "a".repeat(64), "a/b/c"]) assert.ok(!isLabelKey(bad), bad);
  assert.ok(isLabelValue("") && isLabelValue("a.b_C") && !isLabelValue("a/b") && !isLabelValue("-"));
  for (const good of ["http", "serve-80-tcp", "a"]) assert.ok(isPortName(good), good);
  for (const bad of ["", "80", "a--b", "-a", "UP", "sixteen-letters-x"]) assert.ok(!isPortName(bad), bad);
});
