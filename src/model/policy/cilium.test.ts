import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issue } from "../../base/issue.ts";
import { type Result, unwrap } from "../../base/result.ts";
import { createInterner, type Interner } from "../intern.ts";
import {
  parseCiliumCidrGroup,
  parseCiliumClusterwideNetworkPolicy,
  parseCiliumNetworkPolicy,
} from "./cilium-policy.ts";

type Parse = (value: unknown, interner: Interner) => Result<unknown, readonly Issue[]>;

const cnp = (spec: object) => ({
  apiVersion: "cilium.io/v2",
  kind: "CiliumNetworkPolicy",
  metadata: { name: "p", namespace: "x" },
  spec: { endpointSelector: {}, ...spec },
});
const ccnp = (spec: object) => ({ metadata: { name: "p" }, spec });
const ingress = (rule: object) => cnp({ ingress: [rule] });
const egress = (rule: object) => cnp({ egress: [rule] });
const port = (p: object) => ingress({ toPorts: [{ ports: [p] }] });
const icmp = (f: object) => ingress({ icmps: [{ fields: [f] }] });
const I = "spec.ingress[0]";
const E = "spec.egress[0]";
const PORT = `${I}.toPorts[0].ports[0]`;

const REFUSED: readonly (readonly [Parse, object, readonly string[], RegExp])[] = [
  [parseCiliumNetworkPolicy, { ...cnp({}), apiVersion: "cilium.io/v1" }, ["apiVersion"], /"cilium.io\/v1"/],
  [parseCiliumNetworkPolicy, { metadata: { name: "p" } }, ["spec"], /or specs/],
  [parseCiliumNetworkPolicy, { metadata: { name: "p" }, specs: [{}] }, ["specs[0]"], /Exactly one of endpointSelector/],
  [
    parseCiliumNetworkPolicy,
    cnp({ nodeSelector: {} }),
    ["spec", "spec.nodeSelector"].slice(0, 1),
    /there are endpointSelector, nodeSelector/,
  ],
  [parseCiliumNetworkPolicy, ccnpAsCnp(), ["spec.nodeSelector"], /endpoints only/],
  [parseCiliumNetworkPolicy, cnp({ ingres: [] }), ["spec.ingres"], /did you mean "ingress"/],
  [
    parseCiliumNetworkPolicy,
    cnp({ endpointSelector: { matchLabels: { "x y": "a" } } }),
    ['spec.endpointSelector.matchLabels["x y"]'],
    /"x y"/,
  ],
  [
    parseCiliumNetworkPolicy,
    cnp({ endpointSelector: { matchLabels: { "src:a": "a" } } }),
    ['spec.endpointSelector.matchLabels["src:a"]'],
    /"src:a"/,
  ],
  [
    parseCiliumNetworkPolicy,
    cnp({ endpointSelector: { matchExpressions: [{ key: "a", operator: "Is" }] } }),
    ["spec.endpointSelector.matchExpressions[0].operator"],
    /"Is"/,
  ],
  [
    parseCiliumNetworkPolicy,
    cnp({ endpointSelector: { matchExpressions: [{ key: "a", operator: "In" }] } }),
    ["spec.endpointSelector.matchExpressions[0].values"],
    /at least one/,
  ],
  [parseCiliumNetworkPolicy, cnp({ log: { value: "x".repeat(33) } }), ["spec.log.value"], /32 printable/],
  [
    parseCiliumNetworkPolicy,
    cnp({ enableDefaultDeny: { ingress: "no" } }),
    ["spec.enableDefaultDeny.ingress"],
    /true or false/,
  ],
  [parseCiliumNetworkPolicy, cnp({ enableDefaultDeny: { both: true } }), ["spec.enableDefaultDeny.both"], /Unknown/],
  [parseCiliumNetworkPolicy, ingress({ toEndpoints: [{}] }), [`${I}.toEndpoints`], /did you mean/],
  [parseCiliumNetworkPolicy, ingress({ fromRequires: [{}] }), [`${I}.fromRequires`], /use deny rules/],
  [
    parseCiliumNetworkPolicy,
    ingress({ fromEndpoints: [{}], fromCIDR: ["10.0.0.0/8"] }),
    [`${I}.fromCIDR`],
    /\["10.0.0.0\/8"\] cannot stand together with fromEndpoints/,
  ],
  [
    parseCiliumNetworkPolicy,
    ingress({ fromEntities: ["everyone"] }),
    [`${I}.fromEntities[0]`],
    /"everyone" is not one of/,
  ],
  [parseCiliumNetworkPolicy, ingress({ fromCIDR: ["10.0.0.0/40"] }), [`${I}.fromCIDR[0]`], /"10.0.0.0\/40"/],
  [
    parseCiliumNetworkPolicy,
    ingress({ fromCIDRSet: [{ cidr: "x" }] }),
    [`${I}.fromCIDRSet[0].cidr`],
    /"x" is not a CIDR/,
  ],
  [
    parseCiliumNetworkPolicy,
    ingress({ fromCIDRSet: [{ cidr: "10.0.0.0/8", except: ["11.0.0.0/9"] }] }),
    [`${I}.fromCIDRSet[0].except[0]`],
    /"11.0.0.0\/9" is not inside/,
  ],
  [
    parseCiliumNetworkPolicy,
    ingress({ fromCIDRSet: [{ cidr: "10.0.0.0/8", cidrGroupRef: "g" }] }),
    [`${I}.fromCIDRSet[0]`],
    /Exactly one/,
  ],
  [parseCiliumNetworkPolicy, port({ port: "80", protocol: "HTTP" }), [`${PORT}.protocol`], /"HTTP"/],
  [parseCiliumNetworkPolicy, port({ port: 80 }), [`${PORT}.port`, `${PORT}.port`], /Expected a string/],
  [parseCiliumNetworkPolicy, port({ protocol: "TCP" }), [`${PORT}.port`], /required/],
  [parseCiliumNetworkPolicy, port({ port: "70000" }), [`${PORT}.port`], /"70000"/],
  [parseCiliumNetworkPolicy, port({ port: "a--b" }), [`${PORT}.port`], /"a--b"/],
  [parseCiliumNetworkPolicy, port({ port: "http", endPort: 90 }), [`${PORT}.endPort`], /90.*"http"/],
  [parseCiliumNetworkPolicy, port({ port: "90", endPort: 80 }), [`${PORT}.endPort`], /80 is less than port 90/],
  [parseCiliumNetworkPolicy, port({ port: "80", protocol: "VRRP" }), [`${PORT}.port`], /VRRP has no ports/],
  [
    parseCiliumNetworkPolicy,
    ingress({ toPorts: [{ ports: Array(41).fill({ port: "1" }) }] }),
    [`${I}.toPorts[0].ports`],
    /41 items/,
  ],
  [
    parseCiliumNetworkPolicy,
    ingress({ toPorts: [{ rules: { http2: [] } }] }),
    [`${I}.toPorts[0].rules.http2`],
    /Unknown/,
  ],
  [
    parseCiliumNetworkPolicy,
    ingress({ toPorts: [{ terminatingTLS: { cert: 1 } }] }),
    [`${I}.toPorts[0].terminatingTLS.cert`],
    /Unknown/,
  ],
  [
    parseCiliumNetworkPolicy,
    ingress({ toPorts: [{}], icmps: [{ fields: [{ type: 8 }] }] }),
    [`${I}.icmps`],
    /two rules/,
  ],
  [parseCiliumNetworkPolicy, icmp({ type: "Ping" }), [`${I}.icmps[0].fields[0].type`], /"Ping"/],
  [parseCiliumNetworkPolicy, icmp({ type: "PacketTooBig" }), [`${I}.icmps[0].fields[0].type`], /IPv4/],
  [parseCiliumNetworkPolicy, icmp({ type: 256, family: "IPv6" }), [`${I}.icmps[0].fields[0].type`], /256/],
  [parseCiliumNetworkPolicy, ingress({ authentication: { mode: "mutual" } }), [`${I}.authentication.mode`], /"mutual"/],
  [
    parseCiliumNetworkPolicy,
    cnp({ ingressDeny: [{ authentication: { mode: "required" } }] }),
    ["spec.ingressDeny[0].authentication"],
    /Unknown/,
  ],
  [
    parseCiliumNetworkPolicy,
    cnp({ ingressDeny: [{ toPorts: [{ rules: {} }] }] }),
    ["spec.ingressDeny[0].toPorts[0].rules"],
    /Unknown/,
  ],
  [
    parseCiliumNetworkPolicy,
    cnp({ egressDeny: [{ toFQDNs: [{ matchName: "a.b" }] }] }),
    ["spec.egressDeny[0].toFQDNs"],
    /Unknown/,
  ],
  [parseCiliumNetworkPolicy, egress({ toFQDNs: [{ matchName: "a..b" }] }), [`${E}.toFQDNs[0].matchName`], /"a..b"/],
  [
    parseCiliumNetworkPolicy,
    egress({ toFQDNs: [{ matchName: "a.b", matchPattern: "*" }] }),
    [`${E}.toFQDNs[0]`],
    /Exactly one/,
  ],
  [
    parseCiliumNetworkPolicy,
    egress({ toServices: [{ k8sService: {} }] }),
    [`${E}.toServices[0].k8sService.serviceName`],
    /required/,
  ],
  [
    parseCiliumNetworkPolicy,
    egress({ toServices: [{ k8sServiceSelector: {} }] }),
    [`${E}.toServices[0].k8sServiceSelector.selector`],
    /required/,
  ],
  [parseCiliumNetworkPolicy, egress({ toServices: [{}] }), [`${E}.toServices[0]`], /Exactly one/],
  [parseCiliumClusterwideNetworkPolicy, ccnp({}), ["spec"], /Exactly one/],
  [
    parseCiliumCidrGroup,
    { metadata: { name: "g" }, spec: { externalCIDRs: ["a"] } },
    ["spec.externalCIDRs[0]"],
    /"a" is not/,
  ],
  [parseCiliumCidrGroup, { metadata: { name: "g" }, spec: { cidrs: [] } }, ["spec.cidrs"], /Unknown/],
];

function ccnpAsCnp() {
  return { metadata: { name: "p" }, spec: { nodeSelector: {} } };
}

for (const [parse, value, paths, message] of REFUSED)
  test(`${parse.name}() refuses ${JSON.stringify((value as { spec?: unknown }).spec ?? value).slice(0, 110)} at ${paths}`, () => {
    const result = parse(value, createInterner());
    assert.ok(!result.ok);
    assert.deepEqual(
      result.error.map((i) => i.path),
      paths,
    );
    assert.match(result.error[0]?.message ?? "", message);
  });

test("nil and empty lists of peers are told apart, and default deny follows from rules", () => {
  const parse = (spec: object) => unwrap(parseCiliumNetworkPolicy(cnp(spec), createInterner())).specs[0];
  assert.equal(parse({ ingress: [{}] })?.ingress[0]?.peers, undefined);
  assert.deepEqual(parse({ ingress: [{ fromEndpoints: [] }] })?.ingress[0]?.peers, []);
  assert.deepEqual(parse({})?.defaultDeny, { ingress: false, egress: false });
  assert.deepEqual(parse({ ingress: [] })?.defaultDeny, { ingress: false, egress: false });
  assert.deepEqual(parse({ ingress: [{}], egressDeny: [{}] })?.defaultDeny, { ingress: true, egress: true });
  assert.deepEqual(parse({ ingress: [{}], enableDefaultDeny: { ingress: false } })?.defaultDeny, {
    ingress: false,
    egress: false,
  });
});

test("spec and specs are read together, with their paths", () => {
  const value = {
    metadata: { name: "p" },
    spec: { endpointSelector: {} },
    specs: [{ endpointSelector: {} }, { nodeSelector: {} }],
  };
  const policy = unwrap(parseCiliumClusterwideNetworkPolicy(value, createInterner()));
  assert.deepEqual(
    policy.specs.map((s) => [s.path, s.of]),
    [
      ["spec", "endpoints"],
      ["specs[0]", "endpoints"],
      ["specs[1]", "nodes"],
    ],
  );
});

test("what is beyond layer 4 is kept in words", () => {
  const rule = {
    toPorts: [
      {
        ports: [{ port: "443", protocol: "tcp" }],
        terminatingTLS: { secret: { name: "s" } },
        serverNames: ["a.b"],
        listener: { envoyConfig: { name: "e" }, name: "l" },
        rules: { http: [{ path: "/", method: "GET", headerMatches: [] }] },
      },
    ],
  };
  const policy = unwrap(parseCiliumNetworkPolicy(ingress(rule), createInterner()));
  assert.deepEqual(policy.specs[0]?.ingress[0]?.toPorts?.[0]?.beyond, [
    "terminatingTLS",
    "serverNames a.b",
    "listener l",
    "rules.http",
  ]);
});
