/** Policies of all dialects that are wrong in one place each, and what must be said of it. */

/** `[what is wrong, kind, spec, path, what the message must name]`. */
export type InvalidPolicy = readonly [string, string, object, string, string];

const ALL = { podSelector: {} };
const inRule = (rule: object) => ({ ...ALL, ingress: [rule] });
const port = (p: object) => inRule({ ports: [p] });
const block = (b: object) => inRule({ from: [{ ipBlock: b }] });

const KUBERNETES: readonly InvalidPolicy[] = [
  ["an unknown field", "NetworkPolicy", { ...ALL, ingres: [] }, "spec.ingres", 'did you mean "ingress"'],
  ["a peer without anything", "NetworkPolicy", inRule({ from: [{}] }), "spec.ingress[0].from[0]", "podSelector"],
  [
    "an ipBlock beside a selector",
    "NetworkPolicy",
    inRule({ from: [{ ipBlock: { cidr: "10.0.0.0/8" }, podSelector: {} }] }),
    "spec.ingress[0].from[0]",
    "ipBlock",
  ],
  [
    "a CIDR that is none",
    "NetworkPolicy",
    block({ cidr: "10.0.0.0/33" }),
    "spec.ingress[0].from[0].ipBlock.cidr",
    "10.0.0.0/33",
  ],
  [
    "an exception outside",
    "NetworkPolicy",
    block({ cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] }),
    "spec.ingress[0].from[0].ipBlock.except[0]",
    "11.0.0.0/16",
  ],
  ["port 0", "NetworkPolicy", port({ port: 0 }), "spec.ingress[0].ports[0].port", "0"],
  ["a port beyond 65535", "NetworkPolicy", port({ port: 65536 }), "spec.ingress[0].ports[0].port", "65536"],
  [
    "an unknown protocol",
    "NetworkPolicy",
    port({ port: 80, protocol: "TCPX" }),
    "spec.ingress[0].ports[0].protocol",
    "TCPX",
  ],
  [
    "a range that ends before it begins",
    "NetworkPolicy",
    port({ port: 90, endPort: 80 }),
    "spec.ingress[0].ports[0].endPort",
    "80",
  ],
  ["a range without a beginning", "NetworkPolicy", port({ endPort: 80 }), "spec.ingress[0].ports[0].endPort", "port"],
  [
    "a range of a name",
    "NetworkPolicy",
    port({ port: "http", endPort: 80 }),
    "spec.ingress[0].ports[0].endPort",
    "port",
  ],
  ["an unknown policy type", "NetworkPolicy", { ...ALL, policyTypes: ["ingress"] }, "spec.policyTypes[0]", "ingress"],
  [
    "an operator that is none",
    "NetworkPolicy",
    { podSelector: { matchExpressions: [{ key: "a", operator: "Is", values: ["b"] }] } },
    "spec.podSelector.matchExpressions[0].operator",
    "Is",
  ],
  [
    "In without values",
    "NetworkPolicy",
    { podSelector: { matchExpressions: [{ key: "a", operator: "In" }] } },
    "spec.podSelector.matchExpressions[0].values",
    "In",
  ],
  [
    "a label that is no text",
    "NetworkPolicy",
    { podSelector: { matchLabels: { a: 1 } } },
    "spec.podSelector.matchLabels.a",
    "number",
  ],
  ["rules that are no list", "NetworkPolicy", { ...ALL, ingress: {} }, "spec.ingress", "list"],
];

const admin = (rule: object) => ({ tier: "Admin", priority: 1, subject: { namespaces: {} }, ingress: [rule] });
const NS = [{ namespaces: {} }];

const CLUSTER: readonly InvalidPolicy[] = [
  [
    "a tier that is none",
    "ClusterNetworkPolicy",
    { ...admin({ action: "Deny", from: NS }), tier: "Top" },
    "spec.tier",
    "Top",
  ],
  [
    "a priority beyond 1000",
    "ClusterNetworkPolicy",
    { ...admin({ action: "Deny", from: NS }), priority: 1001 },
    "spec.priority",
    "1001",
  ],
  ["no subject", "ClusterNetworkPolicy", { tier: "Admin", priority: 1 }, "spec.subject", "required"],
  [
    "an action that is none",
    "ClusterNetworkPolicy",
    admin({ action: "Allow", from: NS }),
    "spec.ingress[0].action",
    "Allow",
  ],
  [
    "nobody to come from",
    "ClusterNetworkPolicy",
    admin({ action: "Deny", from: [] }),
    "spec.ingress[0].from",
    "at least 1",
  ],
  [
    "a subject of two kinds",
    "ClusterNetworkPolicy",
    { ...admin({ action: "Deny", from: NS }), subject: { namespaces: {}, pods: {} } },
    "spec.subject",
    "namespaces, pods",
  ],
  [
    "networks that come in",
    "ClusterNetworkPolicy",
    admin({ action: "Deny", from: [{ networks: ["10.0.0.0/8"] }] }),
    "spec.ingress[0].from[0].networks",
    "networks",
  ],
  [
    "an action of the successor",
    "AdminNetworkPolicy",
    { priority: 1, subject: { namespaces: {} }, ingress: [{ action: "Accept", from: NS }] },
    "spec.ingress[0].action",
    "Accept",
  ],
  [
    "a baseline that passes",
    "BaselineAdminNetworkPolicy",
    { subject: { namespaces: {} }, ingress: [{ action: "Pass", from: NS }] },
    "spec.ingress[0].action",
    "Pass",
  ],
  [
    "a baseline with a priority",
    "BaselineAdminNetworkPolicy",
    { priority: 3, subject: { namespaces: {} } },
    "spec.priority",
    "priority",
  ],
];

const calico = (rule: object, rest: object = {}) => ({ selector: "all()", ingress: [rule], ...rest });

const CALICO: readonly InvalidPolicy[] = [
  ["a selector that does not end", "CalicoNetworkPolicy", { selector: "app == 'web" }, "spec.selector", "app == 'web"],
  [
    "a selector with one equals sign",
    "CalicoNetworkPolicy",
    { selector: "app = 'web'" },
    "spec.selector",
    "app = 'web'",
  ],
  ["a function that is none", "CalicoNetworkPolicy", { selector: "any()" }, "spec.selector", "any()"],
  ["an action that is none", "CalicoNetworkPolicy", calico({ action: "Accept" }), "spec.ingress[0].action", "Accept"],
  ["no action", "CalicoNetworkPolicy", calico({ protocol: "TCP" }), "spec.ingress[0].action", "required"],
  [
    "ports without a protocol",
    "CalicoNetworkPolicy",
    calico({ action: "Allow", destination: { ports: [80] } }),
    "spec.ingress[0].destination.ports",
    "protocol",
  ],
  [
    "a protocol that is none",
    "CalicoNetworkPolicy",
    calico({ action: "Allow", protocol: "HTTP" }),
    "spec.ingress[0].protocol",
    "HTTP",
  ],
  [
    "a range that is none",
    "CalicoNetworkPolicy",
    calico({ action: "Allow", protocol: "TCP", destination: { ports: ["90:80"] } }),
    "spec.ingress[0].destination.ports[0]",
    "90:80",
  ],
  [
    "an ICMP code without a type",
    "CalicoNetworkPolicy",
    calico({ action: "Allow", protocol: "ICMP", icmp: { code: 1 } }),
    "spec.ingress[0].icmp.code",
    "type",
  ],
  [
    "an order that is no number",
    "CalicoNetworkPolicy",
    calico({ action: "Deny" }, { order: "first" }),
    "spec.order",
    "number",
  ],
  [
    "a net that is none",
    "GlobalNetworkPolicy",
    calico({ action: "Deny", source: { nets: ["10.0.0.0/40"] } }),
    "spec.ingress[0].source.nets[0]",
    "10.0.0.0/40",
  ],
  ["types that are none", "GlobalNetworkPolicy", { selector: "all()", types: ["Both"] }, "spec.types[0]", "Both"],
  [
    "not tracked and applied on forward off",
    "GlobalNetworkPolicy",
    { selector: "all()", doNotTrack: true, applyOnForward: false },
    "spec.applyOnForward",
    "doNotTrack",
  ],
  [
    "a namespace selector in a namespace",
    "CalicoNetworkPolicy",
    { selector: "all()", namespaceSelector: "all()" },
    "spec.namespaceSelector",
    "namespaceSelector",
  ],
  [
    "a staged action that is none",
    "StagedGlobalNetworkPolicy",
    { selector: "all()", stagedAction: "Try" },
    "spec.stagedAction",
    "Try",
  ],
];

const cilium = (rule: object) => ({ endpointSelector: {}, ingress: [rule] });

const CILIUM: readonly InvalidPolicy[] = [
  ["neither endpoints nor nodes", "CiliumNetworkPolicy", { ingress: [{}] }, "spec", "endpointSelector"],
  [
    "nodes in a namespace",
    "CiliumNetworkPolicy",
    { nodeSelector: {}, ingress: [{}] },
    "spec.nodeSelector",
    "endpoints only",
  ],
  [
    "an entity that is none",
    "CiliumNetworkPolicy",
    cilium({ fromEntities: ["internet"] }),
    "spec.ingress[0].fromEntities[0]",
    "internet",
  ],
  [
    "two kinds of peers in one rule",
    "CiliumNetworkPolicy",
    cilium({ fromCIDR: ["10.0.0.0/8"], fromEndpoints: [{}] }),
    "spec.ingress[0].fromCIDR",
    "fromEndpoints",
  ],
  [
    "a CIDR that is none",
    "CiliumNetworkPolicy",
    cilium({ fromCIDR: ["10.0.0"] }),
    "spec.ingress[0].fromCIDR[0]",
    "10.0.0",
  ],
  [
    "a protocol that is none",
    "CiliumNetworkPolicy",
    cilium({ toPorts: [{ ports: [{ port: "80", protocol: "HTTP" }] }] }),
    "spec.ingress[0].toPorts[0].ports[0].protocol",
    "HTTP",
  ],
  [
    "a port that is a number",
    "CiliumNetworkPolicy",
    cilium({ toPorts: [{ ports: [{ port: 80 }] }] }),
    "spec.ingress[0].toPorts[0].ports[0].port",
    "string",
  ],
  [
    "layer 7 in a denial",
    "CiliumNetworkPolicy",
    { endpointSelector: {}, ingressDeny: [{ toPorts: [{ ports: [{ port: "80" }], rules: { http: [{}] } }] }] },
    "spec.ingressDeny[0].toPorts[0].rules",
    "rules",
  ],
  [
    "ports and ICMP in one rule",
    "CiliumNetworkPolicy",
    cilium({ toPorts: [{ ports: [{ port: "80" }] }], icmps: [{ fields: [{ type: 8 }] }] }),
    "spec.ingress[0].icmps",
    "toPorts",
  ],
  [
    "names that come in",
    "CiliumNetworkPolicy",
    cilium({ fromFQDNs: [{ matchName: "example.com" }] }),
    "spec.ingress[0].fromFQDNs",
    "fromFQDNs",
  ],
  [
    "an unknown field",
    "CiliumClusterwideNetworkPolicy",
    { endpointSelector: {}, egres: [] },
    "spec.egres",
    'did you mean "egress"',
  ],
];

/** All of them. */
export const INVALID_POLICIES: readonly InvalidPolicy[] = [...KUBERNETES, ...CLUSTER, ...CALICO, ...CILIUM];

const VERSIONS: Readonly<Record<string, string>> = {
  NetworkPolicy: "networking.k8s.io/v1",
  ClusterNetworkPolicy: "policy.networking.k8s.io/v1alpha2",
  AdminNetworkPolicy: "policy.networking.k8s.io/v1alpha1",
  BaselineAdminNetworkPolicy: "policy.networking.k8s.io/v1alpha1",
  CiliumNetworkPolicy: "cilium.io/v2",
  CiliumClusterwideNetworkPolicy: "cilium.io/v2",
};

/** The object. Calico's NetworkPolicy is called `CalicoNetworkPolicy` above, since Kubernetes has one of that name. */
export function invalidObject([, kind, spec]: InvalidPolicy, name: string): object {
  const apiVersion = VERSIONS[kind] ?? "projectcalico.org/v3";
  const isBaseline = kind === "BaselineAdminNetworkPolicy";
  return { apiVersion, kind: kind.replace(/^Calico/, ""), metadata: { name: isBaseline ? "default" : name }, spec };
}
