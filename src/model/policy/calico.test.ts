import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issue } from "../../base/issue.ts";
import { type Result, unwrap } from "../../base/result.ts";
import { createInterner, type Interner } from "../intern.ts";
import {
  parseCalicoTier,
  parseGlobalNetworkSet,
  parseHostEndpoint,
  parseNetworkSet,
  parseStagedKubernetesNetworkPolicy,
} from "./calico-objects.ts";
import {
  parseCalicoNetworkPolicy,
  parseGlobalNetworkPolicy,
  parseStagedGlobalNetworkPolicy,
  parseStagedNetworkPolicy,
} from "./calico-policy.ts";

type Parse = (value: unknown, interner: Interner) => Result<unknown, readonly Issue[]>;

const np = (spec: object) => ({
  apiVersion: "projectcalico.org/v3",
  kind: "NetworkPolicy",
  metadata: { name: "p", namespace: "x" },
  spec,
});
const object = (spec: object, name = "p") => ({ metadata: { name }, spec });
const rule = (r: object) => np({ ingress: [{ action: "Allow", ...r }] });
const from = (source: object) => rule({ source });
const R = "spec.ingress[0]";

const REFUSED: readonly (readonly [Parse, object, readonly string[], RegExp])[] = [
  [
    parseCalicoNetworkPolicy,
    { ...np({}), apiVersion: "projectcalico.org/v1" },
    ["apiVersion"],
    /"projectcalico.org\/v1" is not/,
  ],
  [parseCalicoNetworkPolicy, { ...np({}), kind: "GlobalNetworkPolicy" }, ["kind"], /"GlobalNetworkPolicy" is not/],
  [parseCalicoNetworkPolicy, np({ selecter: "all()" }), ["spec.selecter"], /did you mean "selector"/],
  [
    parseCalicoNetworkPolicy,
    np({ selector: "app = 'x'" }),
    ["spec.selector"],
    /"app = 'x'" is not a selector: .* at character 5/,
  ],
  [parseCalicoNetworkPolicy, np({ serviceAccountSelector: "a ==" }), ["spec.serviceAccountSelector"], /"a =="/],
  [parseCalicoNetworkPolicy, np({ namespaceSelector: "all()" }), ["spec.namespaceSelector"], /Unknown field/],
  [parseCalicoNetworkPolicy, np({ doNotTrack: true }), ["spec.doNotTrack"], /Unknown field/],
  [parseCalicoNetworkPolicy, np({ stagedAction: "Set" }), ["spec.stagedAction"], /Unknown field/],
  [parseCalicoNetworkPolicy, np({ order: "10" }), ["spec.order"], /"10" is not a number/],
  [parseCalicoNetworkPolicy, np({ types: ["ingress"] }), ["spec.types[0]"], /"ingress" is not one of Ingress, Egress/],
  [parseCalicoNetworkPolicy, np({ types: ["Egress", "Egress"] }), ["spec.types[1]"], /twice/],
  [parseCalicoNetworkPolicy, np({ performanceHints: ["Fast"] }), ["spec.performanceHints[0]"], /"Fast"/],
  [parseCalicoNetworkPolicy, np({ ingress: [{}] }), [`${R}.action`], /Allow, Deny, Log, Pass/],
  [
    parseCalicoNetworkPolicy,
    np({ ingress: Array(1025).fill({ action: "Log" }) }),
    ["spec.ingress"],
    /1025 items: at most 1024/,
  ],
  [parseCalicoNetworkPolicy, rule({ action: "allow" }), [`${R}.action`], /"allow" is not one of/],
  [parseCalicoNetworkPolicy, rule({ ipVersion: 5 }), [`${R}.ipVersion`], /5 is neither 4 nor 6/],
  [parseCalicoNetworkPolicy, rule({ protocol: "HTTP" }), [`${R}.protocol`], /"HTTP" is neither/],
  [parseCalicoNetworkPolicy, rule({ protocol: 0 }), [`${R}.protocol`], /0 is neither/],
  [parseCalicoNetworkPolicy, rule({ notProtocol: 256 }), [`${R}.notProtocol`], /256 is neither/],
  [
    parseCalicoNetworkPolicy,
    rule({ protocol: "ICMP", icmp: { type: 255 } }),
    [`${R}.icmp.type`],
    /255 is not an integer from 0 to 254/,
  ],
  [parseCalicoNetworkPolicy, rule({ protocol: "ICMP", icmp: { code: 1 } }), [`${R}.icmp.code`], /a code needs a type/],
  [parseCalicoNetworkPolicy, rule({ icmp: { type: 8 } }), [`${R}.icmp`], /needs protocol ICMP or ICMPv6/],
  [
    parseCalicoNetworkPolicy,
    rule({ protocol: "ICMPv6", ipVersion: 4 }),
    [`${R}.ipVersion`],
    /4 never has protocol "ICMPv6"/,
  ],
  [parseCalicoNetworkPolicy, rule({ destination: { ports: [80] } }), [`${R}.destination.ports`], /need protocol/],
  [
    parseCalicoNetworkPolicy,
    rule({ protocol: "TCP", destination: { ports: ["90:80"] } }),
    [`${R}.destination.ports[0]`],
    /"90:80" is an empty range/,
  ],
  [
    parseCalicoNetworkPolicy,
    rule({ protocol: "TCP", destination: { ports: [70000] } }),
    [`${R}.destination.ports[0]`],
    /70000/,
  ],
  [
    parseCalicoNetworkPolicy,
    rule({ protocol: "TCP", destination: { notPorts: ["a b"] } }),
    [`${R}.destination.notPorts[0]`],
    /"a b"/,
  ],
  [
    parseCalicoNetworkPolicy,
    rule({ protocol: "TCP", source: { ports: Array(51).fill(1) } }),
    [`${R}.source.ports`],
    /51 items: at most 50/,
  ],
  [parseCalicoNetworkPolicy, from({ nets: ["10.0.0.0/33"] }), [`${R}.source.nets[0]`], /"10.0.0.0\/33"/],
  [parseCalicoNetworkPolicy, from({ nets: Array(257).fill("10.0.0.0/8") }), [`${R}.source.nets`], /257 items/],
  [parseCalicoNetworkPolicy, from({ domains: ["example.org"] }), [`${R}.source.domains`], /Unknown field "domains"/],
  [
    parseCalicoNetworkPolicy,
    from({ serviceAccounts: { name: "a" } }),
    [`${R}.source.serviceAccounts.name`],
    /did you mean "names"/,
  ],
  [
    parseCalicoNetworkPolicy,
    from({ services: { name: "a" }, nets: ["10.0.0.0/8"] }),
    [`${R}.source.nets`],
    /cannot stand together/,
  ],
  [parseCalicoNetworkPolicy, from({ services: {} }), [`${R}.source.services.name`], /required/],
  [
    parseCalicoNetworkPolicy,
    rule({ destination: { services: { name: "a" } } }),
    [`${R}.destination.services`],
    /source of ingress/,
  ],
  [
    parseCalicoNetworkPolicy,
    np({ egress: [{ action: "Allow", protocol: "TCP", destination: { services: { name: "a" }, ports: [80] } }] }),
    ["spec.egress[0].destination.ports"],
    /\[80\]: the service says/,
  ],
  [
    parseGlobalNetworkPolicy,
    object({ ingress: [{ action: "Allow", source: { services: { name: "a" } } }] }),
    [`${R}.source.services.namespace`],
    /required/,
  ],
  [parseCalicoNetworkPolicy, rule({ action: "Deny", http: {} }), [`${R}.http`], /"Allow", not "Deny"/],
  [
    parseCalicoNetworkPolicy,
    rule({ http: { paths: [{ exact: "/", prefix: "/" }] } }),
    [`${R}.http.paths[0]`],
    /Exactly one/,
  ],
  [parseCalicoNetworkPolicy, rule({ protocol: "UDP", http: {} }), [`${R}.http`], /not "UDP"/],
  [
    parseGlobalNetworkPolicy,
    object({ doNotTrack: true }),
    ["spec.applyOnForward"],
    /false cannot stand with doNotTrack/,
  ],
  [
    parseGlobalNetworkPolicy,
    object({ doNotTrack: true, preDNAT: true, applyOnForward: true }),
    ["spec.preDNAT"],
    /doNotTrack/,
  ],
  [
    parseGlobalNetworkPolicy,
    object({ preDNAT: true, applyOnForward: true, types: ["Egress"] }),
    ["spec.egress"],
    /ingress rules only/,
  ],
  [parseStagedNetworkPolicy, object({ stagedAction: "Apply" }), ["spec.stagedAction"], /"Apply" is not one of/],
  [parseStagedGlobalNetworkPolicy, object({ stagedAction: 1 }), ["spec.stagedAction"], /Expected a string/],
  [
    parseStagedKubernetesNetworkPolicy,
    object({ podSelector: {}, ingres: [] }),
    ["spec.ingres"],
    /did you mean "ingress"/,
  ],
  [parseCalicoTier, object({ order: 5 }, "default"), ["spec.order"], /5 is not 1000000/],
  [parseCalicoTier, object({ defaultAction: "Allow" }), ["spec.defaultAction"], /"Allow" is not one of Deny, Pass/],
  [parseCalicoTier, object({ priority: 5 }), ["spec.priority"], /Unknown field/],
  [parseNetworkSet, object({ nets: ["10.0.0.0/8", "x"] }), ["spec.nets[1]"], /"x" is not a CIDR/],
  [parseGlobalNetworkSet, object({ allowedEgressDomains: ["a.b"] }), ["spec.allowedEgressDomains"], /Unknown field/],
  [parseHostEndpoint, object({ node: "n" }), ["spec"], /interfaceName or expectedIPs is required/],
  [parseHostEndpoint, object({ interfaceName: "*" }), ["spec.node"], /required/],
  [parseHostEndpoint, object({ node: "n", expectedIPs: ["10.0.0.0/8"] }), ["spec.expectedIPs[0]"], /"10.0.0.0\/8"/],
  [
    parseHostEndpoint,
    object({ node: "n", interfaceName: "*", ports: [{ name: "a", protocol: "TCP" }] }),
    ["spec.ports[0].port"],
    /required/,
  ],
];

for (const [parse, value, paths, message] of REFUSED)
  test(`${parse.name}() refuses ${JSON.stringify((value as { spec: unknown }).spec).slice(0, 110)} at ${paths}`, () => {
    const result = parse(value, createInterner());
    assert.ok(!result.ok);
    assert.deepEqual(
      result.error.map((i) => i.path),
      paths,
    );
    assert.match(result.error[0]?.message ?? "", message);
  });

test("both API groups are read, and the defaults of types follow from the rules", () => {
  const types = (spec: object, apiVersion: string) =>
    unwrap(parseCalicoNetworkPolicy({ ...np(spec), apiVersion }, createInterner())).types;
  const some = [{ action: "Allow" }];
  assert.deepEqual(types({}, "projectcalico.org/v3"), { ingress: true, egress: false });
  assert.deepEqual(types({ ingress: some }, "crd.projectcalico.org/v1"), { ingress: true, egress: false });
  assert.deepEqual(types({ egress: some }, "crd.projectcalico.org/v1"), { ingress: false, egress: true });
  assert.deepEqual(types({ egress: some, ingress: some }, "projectcalico.org/v3"), { ingress: true, egress: true });
  assert.deepEqual(types({ egress: some, types: ["Ingress"] }, "projectcalico.org/v3"), {
    ingress: true,
    egress: false,
  });
});

test("every field of a rule is read", () => {
  const source = {
    nets: ["10.0.0.1", "fd00::/8"],
    notNets: ["10.0.0.0/30"],
    selector: "a == 'b'",
    notSelector: "has(c)",
    namespaceSelector: "global()",
    ports: [1, "2:3", "4", "http"],
    notPorts: ["dns"],
    serviceAccounts: { names: ["sa"], selector: "x == 'y'" },
  };
  const r = {
    action: "Pass",
    ipVersion: 4,
    protocol: "tcp",
    notProtocol: 17,
    source,
    destination: {},
    metadata: { annotations: { why: "so" } },
  };
  const policy = unwrap(parseCalicoNetworkPolicy(np({ order: 1.5, tier: "t", ingress: [r] }), createInterner()));
  const [read] = policy.ingress;
  assert.equal(policy.order, 1.5);
  assert.equal(read?.protocol, 6);
  assert.deepEqual(
    read?.source.nets.map((n) => n.text),
    ["10.0.0.1/32", "fd00::/8"],
  );
  assert.deepEqual(read?.source.ports, [
    { first: 1, last: 1 },
    { first: 2, last: 3 },
    { first: 4, last: 4 },
    { name: "http" },
  ]);
  assert.deepEqual(read?.source.namespaceSelector, { op: "global" });
  assert.deepEqual(read?.source.serviceAccounts, { names: ["sa"], selector: { op: "==", key: "x", value: "y" } });
  assert.equal(read?.annotations.get("why"), "so");
});

test("sets, tiers and host endpoints are read with labels and defaults", () => {
  const i = createInterner();
  const labelled = { metadata: { name: "s", namespace: "x", labels: { a: "b" } }, spec: { nets: ["10.0.0.0/8"] } };
  assert.equal(unwrap(parseNetworkSet(labelled, i)).labels.get("a"), "b");
  assert.equal(unwrap(parseGlobalNetworkSet(labelled, i)).namespace, "");
  assert.deepEqual(unwrap(parseCalicoTier(object({}, "kube-admin"), i)), {
    name: "kube-admin",
    order: 1000,
    defaultAction: "Pass",
  });
  assert.deepEqual(unwrap(parseCalicoTier(object({}, "t"), i)), { name: "t", order: undefined, defaultAction: "Deny" });
  const spec = {
    node: "n",
    interfaceName: "eth0",
    expectedIPs: ["10.0.0.1"],
    profiles: ["q"],
    ports: [{ name: "ssh", protocol: "TCP", port: 22 }],
  };
  const endpoint = unwrap(parseHostEndpoint(object(spec), i));
  assert.deepEqual(endpoint.ports, [{ name: "ssh", protocol: 6, port: 22 }]);
  assert.deepEqual(
    endpoint.expectedIps.map((a) => a.text),
    ["10.0.0.1"],
  );
});
