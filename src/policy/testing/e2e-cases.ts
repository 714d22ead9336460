/**
 * What Kubernetes' own end-to-end tests of NetworkPolicy ask for, as data: 42 cases over TCP, three each over UDP and SCTP.
 * Blocks are written in both families, so that a case means the same in both.
 */

import {
  type E2eCase,
  type E2eStep,
  type Expectation,
  e2eAddresses,
  type NamedPolicy,
  type Probe,
} from "./e2e-model.ts";

const labels = (matchLabels: Record<string, string>) => ({ matchLabels });
const within = (key: string, operator: "In" | "NotIn", ...values: string[]) => ({
  matchExpressions: [{ key, operator, values }],
});
const pod = (name: string) => ({ podSelector: labels({ pod: name }) });
const namespace = (name: string) => ({ namespaceSelector: labels({ ns: name }) });
const podX = (name: string) => labels({ pod: name });

function ingress(podSelector: object, ...rules: object[]): object {
  return { podSelector, policyTypes: ["Ingress"], ingress: rules };
}

function egress(podSelector: object, ...rules: object[]): object {
  return { podSelector, policyTypes: ["Egress"], egress: rules };
}

function inX(name: string, spec: object): NamedPolicy {
  return { namespace: "x", name, spec };
}

function on(protocol: Probe["protocol"], port: Probe["port"], ...expected: Expectation[]): Probe {
  return { protocol, port, expected };
}

const tcp = (port: 80 | 81, ...expected: Expectation[]) => on("TCP", port, ...expected);

/** Both ports over TCP. */
const both = (...expected: Expectation[]): Probe[] => [tcp(80, ...expected), tcp(81, ...expected)];

function one(number: number, name: string, policies: readonly NamedPolicy[], probes: readonly Probe[]): E2eCase {
  return { number, name, steps: [{ policies, probes }] };
}

function many(number: number, name: string, ...steps: E2eStep[]): E2eCase {
  return { number, name, steps };
}

const no = (from: string, to: string): Expectation => [from, to, false];
const yes = (from: string, to: string): Expectation => [from, to, true];
const ALL = {};
const TO_A = no("*", "x/a");
const FROM_A = no("x/a", "*");
const denyIngress = inX("deny-ingress", ingress(ALL));
const allowAll = inX("allow-all", ingress(ALL, {}));
const fromY81 = inX("y-81", ingress(podX("a"), { from: [namespace("y")], ports: [{ protocol: "TCP", port: 81 }] }));
const fromY80 = inX("y-80", ingress(podX("a"), { from: [namespace("y")], ports: [{ protocol: "TCP", port: 80 }] }));

/** Addresses of a pod as blocks of one each. */
const hosts = (key: string) => e2eAddresses(key).map((ip) => `${ip}${ip.includes(":") ? "/128" : "/32"}`);
const blocks = (key: string) => hosts(key).map((cidr) => ({ ipBlock: { cidr } }));
const NETWORKS = ["10.244.1.0/24", "fd00:10:244:1::/64"];
const exceptB = NETWORKS.map((cidr, i) => ({ ipBlock: { cidr, except: [hosts("y/b")[i]] } }));

const SELECTORS: readonly E2eCase[] = [
  one(1, "default-deny-ingress", [denyIngress], both(no("*", "x/*"))),
  one(
    2,
    "default-deny-all",
    [inX("deny-all", { podSelector: ALL, policyTypes: ["Ingress", "Egress"] })],
    both(no("*", "x/*"), no("x/*", "*")),
  ),
  one(
    3,
    "from pods of the namespace by PodSelector",
    [inX("b", ingress(podX("a"), { from: [pod("b")] }))],
    both(TO_A, yes("x/b", "x/a")),
  ),
  one(
    4,
    "ingress for one target on top of deny-all",
    [denyIngress, inX("a", ingress(podX("a"), {}))],
    both(no("*", "x/*"), yes("*", "x/a")),
  ),
  one(5, "from all namespaces", [inX("all", ingress(podX("a"), { from: [{ namespaceSelector: {} }] }))], both()),
  one(
    6,
    "from another namespace by NamespaceSelector",
    [inX("y", ingress(podX("a"), { from: [namespace("y")] }))],
    both(no("x/*", "x/a"), no("z/*", "x/a")),
  ),
  one(
    7,
    "PodSelector with MatchExpressions",
    [inX("b", ingress(podX("a"), { from: [{ podSelector: within("pod", "In", "b") }] }))],
    both(TO_A, yes("x/b", "x/a")),
  ),
  one(
    8,
    "NamespaceSelector with MatchExpressions",
    [inX("y", ingress(podX("a"), { from: [{ namespaceSelector: within("ns", "In", "y") }] }))],
    both(no("x/*", "x/a"), no("z/*", "x/a")),
  ),
  one(
    9,
    "PodSelector or NamespaceSelector",
    [
      inX(
        "or",
        ingress(podX("a"), {
          from: [{ namespaceSelector: within("ns", "NotIn", "x") }, { podSelector: within("pod", "In", "b") }],
        }),
      ),
    ],
    both(no("x/a", "x/a"), no("x/c", "x/a")),
  ),
  one(
    10,
    "PodSelector and NamespaceSelector",
    [
      inX(
        "and",
        ingress(podX("a"), {
          from: [{ namespaceSelector: within("ns", "NotIn", "x"), podSelector: within("pod", "In", "b") }],
        }),
      ),
    ],
    both(TO_A, yes("y/b", "x/a"), yes("z/b", "x/a")),
  ),
  one(
    11,
    "several pods and namespaces",
    [
      inX(
        "several",
        ingress(podX("a"), {
          from: [{ namespaceSelector: within("ns", "NotIn", "x"), podSelector: within("pod", "In", "b", "c") }],
        }),
      ),
    ],
    both(no("x/*", "x/a"), no("y/a", "x/a"), no("z/a", "x/a")),
  ),
  one(
    12,
    "any of two PodSelectors",
    [inX("two", ingress(podX("a"), { from: [pod("b"), { podSelector: within("pod", "In", "c") }] }))],
    both(TO_A, yes("x/b", "x/a"), yes("x/c", "x/a")),
  ),
  one(
    13,
    "a pod of another namespace by both selectors",
    [inX("ya", ingress(podX("a"), { from: [{ ...namespace("y"), ...pod("a") }] }))],
    both(TO_A, yes("y/a", "x/a")),
  ),
];

const PORTS: readonly E2eCase[] = [
  one(14, "by ports", [fromY81], [tcp(80, TO_A), tcp(81, TO_A, yes("y/*", "x/a"))]),
  many(
    15,
    "several policies, overlapping",
    { policies: [fromY81], probes: [tcp(80, TO_A), tcp(81, TO_A, yes("y/*", "x/a"))] },
    { policies: [fromY81, fromY80], probes: both(TO_A, yes("y/*", "x/a")) },
  ),
  many(16, "allow-all", { policies: [allowAll], probes: both() }, { policies: [allowAll, fromY81], probes: both() }),
  one(
    17,
    "ingress on one named port",
    [inX("81", ingress(ALL, { ports: [{ port: "serve-81-tcp" }] }))],
    [tcp(81), tcp(80, no("*", "x/*"))],
  ),
  one(
    18,
    "ingress from a namespace on one named port",
    [inX("y-80", ingress(podX("a"), { from: [namespace("y")], ports: [{ port: "serve-80-tcp" }] }))],
    [tcp(80, TO_A, yes("y/*", "x/a")), tcp(81, TO_A)],
  ),
  one(
    19,
    "egress on one named port",
    [inX("80", egress(podX("a"), { ports: [{ port: "serve-80-tcp" }] }))],
    [tcp(80), tcp(81, FROM_A)],
  ),
];

const CHANGES: readonly E2eCase[] = [
  many(
    20,
    "a policy that is updated",
    { policies: [inX("p", ingress(ALL, {}))], probes: both() },
    { policies: [inX("p", ingress(ALL))], probes: both(no("*", "x/*")) },
  ),
  (() => {
    const policies = [inX("ns2", ingress(podX("a"), { from: [{ namespaceSelector: labels({ ns2: "updated" }) }] }))];
    return many(
      21,
      "a namespace whose labels change",
      { policies, probes: both(TO_A) },
      { policies, labels: { y: { ns2: "updated" } }, probes: both(TO_A, yes("y/*", "x/a")) },
    );
  })(),
  (() => {
    const policies = [inX("pod2", ingress(podX("a"), { from: [{ podSelector: labels({ pod2: "updated" }) }] }))];
    return many(
      22,
      "a pod whose labels change",
      { policies, probes: both(TO_A) },
      { policies, labels: { "x/b": { pod2: "updated" } }, probes: both(TO_A, yes("x/b", "x/a")) },
    );
  })(),
  one(
    23,
    "not from other namespaces",
    [inX("own", ingress(ALL, { from: [{ podSelector: {} }] }))],
    both(no("y/*", "x/*"), no("z/*", "x/*")),
  ),
  (() => {
    const policies = [inX("target", ingress(labels({ target: "isolated" })))];
    return many(
      24,
      "a target whose labels change",
      { policies, probes: both() },
      { policies, labels: { "x/a": { target: "isolated" } }, probes: both(TO_A) },
    );
  })(),
  one(25, "no egress by PodSelector", [inX("none", egress(podX("a")))], both(FROM_A)),
  one(26, "no egress of a namespace", [inX("none", egress(ALL))], both(no("x/*", "*"))),
  one(
    27,
    "ingress and egress together",
    [
      inX("both", {
        podSelector: podX("a"),
        policyTypes: ["Ingress", "Egress"],
        ingress: [{ from: [pod("b")] }],
        egress: [{ ports: [{ protocol: "TCP", port: 80 }] }],
      }),
    ],
    [tcp(80, TO_A, yes("x/b", "x/a")), tcp(81, TO_A, yes("x/b", "x/a"), FROM_A)],
  ),
  one(
    28,
    "no egress, though the server allows",
    [
      inX("none", egress(podX("a"))),
      { namespace: "y", name: "allow", spec: ingress(podX("a"), { from: [{ namespaceSelector: {} }] }) },
    ],
    both(FROM_A),
  ),
  one(
    29,
    "egress to a pod of another namespace by both selectors",
    [inX("ya", egress(podX("a"), { to: [{ ...namespace("y"), ...pod("a") }] }))],
    both(FROM_A, yes("x/a", "y/a")),
  ),
  one(
    30,
    "a protocol without a port",
    [inX("tcp", ingress(ALL, { ports: [{ protocol: "TCP" }] }))],
    [...both(), on("UDP", 80, no("*", "x/*")), on("SCTP", 81, no("*", "x/*"))],
  ),
  many(
    31,
    "allow-all wins over a narrow ingress",
    { policies: [inX("b", ingress(podX("a"), { from: [pod("b")] }))], probes: both(TO_A, yes("x/b", "x/a")) },
    { policies: [inX("b", ingress(podX("a"), { from: [pod("b")] })), allowAll], probes: both() },
  ),
  many(
    32,
    "allow-all wins over a narrow egress",
    { policies: [inX("b", egress(podX("a"), { to: [pod("b")] }))], probes: both(FROM_A, yes("x/a", "x/b")) },
    { policies: [inX("b", egress(podX("a"), { to: [pod("b")] })), inX("all", egress(ALL, {}))], probes: both() },
  ),
  many(
    33,
    "policies that are deleted",
    { policies: [denyIngress], probes: both(no("*", "x/*")) },
    { policies: [], probes: both() },
  ),
];

const REST: readonly E2eCase[] = [
  one(34, "egress to a CIDR", [inX("cidr", egress(podX("a"), { to: blocks("y/b") }))], both(FROM_A, yes("x/a", "y/b"))),
  one(35, "egress to a CIDR except a part", [inX("cidr", egress(podX("a"), { to: exceptB }))], both(no("x/a", "y/b"))),
  many(
    36,
    "an exception that another policy allows",
    { policies: [inX("except", egress(podX("a"), { to: exceptB }))], probes: both(no("x/a", "y/b")) },
    {
      policies: [inX("except", egress(podX("a"), { to: exceptB })), inX("b", egress(podX("a"), { to: blocks("y/b") }))],
      probes: both(),
    },
  ),
  one(
    37,
    "ingress and egress apart",
    [inX("in", ingress(podX("a"))), inX("out", egress(podX("a"), { to: [pod("b")] }))],
    both(TO_A, FROM_A, yes("x/a", "x/b")),
  ),
  one(
    38,
    "SCTP is not TCP",
    [
      inX("sctp", ingress(podX("a"), { ports: [{ protocol: "SCTP", port: 80 }] })),
      inX("tcp", ingress(podX("a"), { ports: [{ port: 81 }] })),
    ],
    [tcp(80, TO_A), tcp(81), on("SCTP", 80), on("SCTP", 81, TO_A)],
  ),
  one(
    39,
    "SCTP alone isolates",
    [inX("sctp", ingress(podX("a"), { ports: [{ protocol: "SCTP", port: 80 }] }))],
    both(TO_A),
  ),
  one(
    40,
    "UDP alone does not allow TCP",
    [inX("udp", ingress(podX("a"), { ports: [{ protocol: "UDP", port: 81 }] }))],
    [...both(TO_A), on("UDP", 81)],
  ),
  one(
    41,
    "the namespace's name as a label",
    [inX("y", ingress(podX("a"), { from: [{ namespaceSelector: labels({ "kubernetes.io/metadata.name": "y" }) }] }))],
    both(no("x/*", "x/a"), no("z/*", "x/a")),
  ),
  one(
    42,
    "the namespace's name in an expression",
    [
      inX(
        "not-y",
        egress(podX("a"), { to: [{ namespaceSelector: within("kubernetes.io/metadata.name", "NotIn", "y") }] }),
      ),
    ],
    both(no("x/a", "y/*")),
  ),
];

/** The three cases that are repeated for another protocol. */
function overProtocol(first: number, protocol: "UDP" | "SCTP"): E2eCase[] {
  const rule = { from: [namespace("y")], ports: [{ protocol, port: 81 }] };
  const peer = { ...namespace("y"), ...pod("a") };
  return [
    one(
      first,
      `default-deny-ingress over ${protocol}`,
      [denyIngress],
      [on(protocol, 80, no("*", "x/*")), on(protocol, 81, no("*", "x/*"))],
    ),
    one(
      first + 1,
      `by ports over ${protocol}`,
      [inX("81", ingress(podX("a"), rule))],
      [on(protocol, 80, TO_A), on(protocol, 81, TO_A, yes("y/*", "x/a"))],
    ),
    one(
      first + 2,
      `a pod of another namespace over ${protocol}`,
      [inX("ya", ingress(podX("a"), { from: [peer], ports: [{ protocol, port: 80 }] }))],
      [on(protocol, 80, TO_A, yes("y/a", "x/a")), on(protocol, 81, TO_A)],
    ),
  ];
}

/** All 48, by number. */
export const E2E_CASES: readonly E2eCase[] = [
  ...SELECTORS,
  ...PORTS,
  ...CHANGES,
  ...REST,
  ...overProtocol(43, "UDP"),
  ...overProtocol(46, "SCTP"),
];
