/** What people get wrong about Kubernetes' policies, one test each, asked of both evaluators. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addr } from "../net/addr.ts";
import { decide } from "./literal/decide.ts";
import { compileNode, judgeAcross } from "./testing/compiled.ts";
import type { RawCluster } from "./testing/generate.ts";
import { parseCluster } from "./testing/parse.ts";

const NODES = ["1", "2"].map((i) => ({
  metadata: { name: `node-${i}`, labels: { role: i === "1" ? "worker" : "control" } },
  spec: { podCIDRs: [`10.244.${i}.0/24`, `fd00:10:244:${i}::/64`] },
  status: { addresses: [{ type: "InternalIP", address: `192.168.77.1${i}` }] },
}));

/** Who takes part: name → namespace, addresses, node. */
const PEOPLE = {
  server: { ns: "x", ips: ["10.244.1.10", "fd00:10:244:1::10"], node: "node-1" },
  friend: { ns: "x", ips: ["10.244.1.11", "fd00:10:244:1::11"], node: "node-1" },
  stranger: { ns: "y", ips: ["10.244.2.10", "fd00:10:244:2::10"], node: "node-2" },
} as const;

const PORTS = {
  server: [{ name: "web", containerPort: 8080, protocol: "TCP" }],
  friend: [{ name: "web", containerPort: 80, protocol: "TCP" }],
  stranger: [{ name: "web", containerPort: 80, protocol: "UDP" }],
} as const;

const PLACES: Readonly<Record<string, string>> = {
  "own node": "192.168.77.11",
  "own router": "10.244.1.1",
  "other node": "192.168.77.12",
  outside: "203.0.113.7",
  outside6: "2001:db8::7",
  server: "10.244.1.10",
  friend: "10.244.1.11",
  stranger: "10.244.2.10",
  server6: "fd00:10:244:1::10",
  friend6: "fd00:10:244:1::11",
  stranger6: "fd00:10:244:2::10",
};

interface Wishes {
  readonly knp?: readonly object[];
  readonly cnp?: readonly object[];
  readonly anp?: readonly object[];
  readonly banp?: readonly object[];
  readonly pods?: readonly object[];
}

const named = (list: readonly object[] | undefined, metadata: object, prefix: string) =>
  (list ?? []).map((spec, i) => ({ metadata: { ...metadata, name: `${prefix}${i}` }, spec }));

function world(wishes: Wishes) {
  const people = Object.entries(PEOPLE).map(([name, { ns, ips, node }]) => ({
    metadata: { namespace: ns, name, labels: { app: name } },
    spec: { nodeName: node, containers: [{ ports: PORTS[name as keyof typeof PORTS] }] },
    status: { phase: "Running", podIPs: ips.map((ip) => ({ ip })) },
  }));
  const raw: RawCluster = {
    nodes: NODES,
    namespaces: ["x", "y"].map((name) => ({ metadata: { name, labels: { ns: name } } })),
    pods: [...people, ...(wishes.pods ?? [])],
    networkPolicies: named(wishes.knp, { namespace: "x" }, "np"),
    clusterPolicies: named(wishes.cnp, {}, "policy"),
    adminPolicies: named(wishes.anp, {}, "anp"),
    baselinePolicies: (wishes.banp ?? []).map((spec) => ({ metadata: { name: "default" }, spec })),
  };
  const cluster = parseCluster(raw);
  const nodes = cluster.nodes.map((n) => compileNode(cluster, n.name));
  return (from: string, to: string, port: number, protocol: number): boolean => {
    const flow = { from: addr(PLACES[from] ?? from), to: addr(PLACES[to] ?? to), protocol, port };
    const said = decide(cluster, flow);
    const found = judgeAcross(nodes, flow);
    const tables = { egress: found.egress?.isAllowed ?? true, ingress: found.ingress?.isAllowed ?? true };
    assert.deepEqual(tables, said, `tables and specification differ on ${from} → ${to} ${protocol} ${port}`);
    return said.egress && said.ingress;
  };
}

type Line = readonly [from: string, to: string, isAllowed: boolean, port?: number, protocol?: number];

function check(wishes: Wishes, ...lines: readonly Line[]): void {
  const ask = world(wishes);
  for (const [from, to, isAllowed, port = 80, protocol = 6] of lines)
    assert.equal(ask(from, to, port, protocol), isAllowed, `${from} → ${to} protocol ${protocol} port ${port}`);
}

const SERVER = { matchLabels: { app: "server" } };
const ingress = (rules: readonly object[] | undefined, podSelector: object = SERVER) => ({
  podSelector,
  ...(rules === undefined ? {} : { ingress: rules }),
});
const egress = (rules: readonly object[], podSelector: object = SERVER) => ({
  podSelector,
  policyTypes: ["Egress"],
  egress: rules,
});

describe("NetworkPolicy (E4)", () => {
  it("1 an empty podSelector is every pod of the namespace, and of no other", () =>
    check(
      { knp: [ingress([], {})] },
      ["stranger", "server", false],
      ["stranger", "friend", false],
      ["server", "stranger", true],
    ));
  it("1 ingress that is missing denies as an empty list does", () =>
    check({ knp: [ingress(undefined)] }, ["friend", "server", false]));
  it("1 an empty rule allows everything", () =>
    check({ knp: [ingress([{}])] }, ["stranger", "server", true], ["outside", "server", true, 0, 47]));
  it("2 egress without policyTypes isolates only when it has rules", () => {
    check({ knp: [{ podSelector: SERVER, ingress: [{}], egress: [] }] }, ["server", "friend", true]);
    check({ knp: [{ podSelector: SERVER, ingress: [{}], egress: [{ ports: [{ port: 1 }] }] }] }, [
      "server",
      "friend",
      false,
    ]);
  });
  it("2 ingress is isolated by default even where only egress is spoken of", () =>
    check({ knp: [{ podSelector: SERVER, egress: [{}] }] }, ["friend", "server", false], ["server", "friend", true]));
  it("3 both selectors in one peer must hold, two peers are alternatives", () => {
    const ns = { namespaceSelector: { matchLabels: { ns: "y" } } };
    const friend = { podSelector: { matchLabels: { app: "friend" } } };
    check(
      { knp: [ingress([{ from: [{ ...ns, ...friend }] }])] },
      ["stranger", "server", false],
      ["friend", "server", false],
    );
    check({ knp: [ingress([{ from: [ns, friend] }])] }, ["stranger", "server", true], ["friend", "server", true]);
  });
  it("3 a podSelector alone is the own namespace; an empty namespaceSelector is all of them and no outsider", () => {
    check(
      { knp: [ingress([{ from: [{ podSelector: {} }] }])] },
      ["friend", "server", true],
      ["stranger", "server", false],
    );
    check(
      { knp: [ingress([{ from: [{ namespaceSelector: {} }] }])] },
      ["stranger", "server", true],
      ["outside", "server", false],
      ["other node", "server", false],
    );
  });
  it("3 an empty from is everyone, a selector that selects nothing is nobody", () => {
    check({ knp: [ingress([{ from: [] }])] }, ["outside", "server", true]);
    check({ knp: [ingress([{ from: [{ podSelector: { matchLabels: { no: "one" } } }] }])] }, [
      "friend",
      "server",
      false,
    ]);
  });
  it("4 a missing protocol is TCP, a protocol without port is all of its ports", () => {
    check(
      { knp: [ingress([{ ports: [{ port: 80 }] }])] },
      ["friend", "server", true],
      ["friend", "server", false, 80, 17],
    );
    check(
      { knp: [ingress([{ ports: [{ protocol: "UDP" }] }])] },
      ["friend", "server", true, 9, 17],
      ["friend", "server", false],
    );
  });
  it("4 endPort is inclusive", () => {
    const knp = [ingress([{ ports: [{ port: 80, endPort: 82 }] }])];
    check({ knp }, ["friend", "server", true, 80], ["friend", "server", true, 82], ["friend", "server", false, 83]);
    check({ knp }, ["friend", "server", false, 79], ["friend", "server", false, 81, 17]);
  });
  it("4 a named port is the destination's: for ingress the server's own", () =>
    check(
      { knp: [ingress([{ ports: [{ port: "web" }] }])] },
      ["friend", "server", true, 8080],
      ["friend", "server", false, 80],
    ));
  it("4 a named port is the destination's: for egress each peer's, with its protocol, and never a block's", () =>
    check(
      { knp: [egress([{ ports: [{ port: "web" }] }])] },
      ["server", "friend", true, 80],
      ["server", "friend", false, 8080],
      ["server", "stranger", false, 80],
      ["server", "stranger", false, 80, 17],
      ["server", "outside", false, 80],
    ));
  it("4 any ports close ICMP and other protocols, none leave them open", () => {
    check(
      { knp: [ingress([{ ports: [{ port: 80 }] }])] },
      ["friend", "server", false, 0x0800, 1],
      ["friend", "server", false, 0, 47],
    );
    check(
      { knp: [ingress([{ from: [{ podSelector: {} }] }])] },
      ["friend", "server", true, 0x0800, 1],
      ["friend", "server", true, 0, 47],
    );
  });
  it("5 except subtracts from its own block and denies nothing", () => {
    const except = { from: [{ ipBlock: { cidr: "10.244.0.0/16", except: ["10.244.2.0/24"] } }] };
    check({ knp: [ingress([except])] }, ["stranger", "server", false], ["friend", "server", true]);
    const other = { from: [{ ipBlock: { cidr: "10.244.2.10/32" } }] };
    check({ knp: [ingress([except]), ingress([other])] }, ["stranger", "server", true]);
  });
  it("5 a block matches pods and nodes, too", () =>
    check(
      { knp: [ingress([{ from: [{ ipBlock: { cidr: "192.168.77.0/24" } }] }])] },
      ["other node", "server", true],
      ["stranger", "server", false],
    ));
  it("6 both ends must allow", () => {
    const knp = [ingress([{}]), egress([], { matchLabels: { app: "friend" } })];
    check({ knp }, ["friend", "server", false], ["stranger", "server", true]);
  });
  it("8 the pod's own node is always let in, another is not", () =>
    check(
      { knp: [ingress([])] },
      ["own node", "server", true],
      ["own router", "server", true],
      ["other node", "server", false],
      ["server", "own node", true],
    ));
  it("8 a pod in the node's network is no subject, and its address is the node's", () => {
    const pods = [
      {
        metadata: { namespace: "x", name: "host", labels: { app: "friend" } },
        spec: { nodeName: "node-2", hostNetwork: true },
        status: { phase: "Running", podIPs: [{ ip: "192.168.77.12" }] },
      },
    ];
    check(
      { pods, knp: [ingress([{ from: [{ podSelector: {} }] }], {})] },
      ["other node", "server", false],
      ["stranger", "other node", true],
    );
  });
  it("11 rules for SCTP are not for TCP", () =>
    check(
      { knp: [ingress([{ ports: [{ protocol: "SCTP", port: 80 }] }])] },
      ["friend", "server", false],
      ["friend", "server", true, 80, 132],
    ));
  it("12 a block of one family says nothing about the other, which stays isolated", () =>
    check(
      { knp: [ingress([{ from: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }])] },
      ["outside", "server", true],
      ["friend", "server", true],
      ["outside6", "server6", false],
      ["friend6", "server6", false],
    ));
  it("13 the address of a pod that is over matches no selector", () => {
    const pods = [
      {
        metadata: { namespace: "x", name: "over", labels: { app: "friend" } },
        spec: { nodeName: "node-2" },
        status: { phase: "Succeeded", podIPs: [{ ip: "10.244.2.99" }] },
      },
    ];
    check(
      { pods, knp: [ingress([{ from: [{ podSelector: {} }] }])] },
      ["10.244.2.99", "server", false],
      ["friend", "server", true],
    );
  });
});

describe("ClusterNetworkPolicy and its predecessors (E5)", () => {
  const head = (tier: string, priority: number) => ({
    tier,
    priority,
    subject: { namespaces: { matchLabels: { ns: "x" } } },
  });
  const everyone = [{ namespaces: {} }];
  const rule = (action: string, more: object = {}) => ({ action, from: everyone, ...more });
  const to = (action: string, ...peers: object[]) => ({ action, to: peers });
  const denyKnp = ingress([], {});
  const allowKnp = ingress([{}], {});

  it("Admin is final in both senses, before NetworkPolicy", () => {
    check({ cnp: [{ ...head("Admin", 1), ingress: [rule("Accept")] }], knp: [denyKnp] }, ["stranger", "server", true]);
    check({ cnp: [{ ...head("Admin", 1), ingress: [rule("Deny")] }], knp: [allowKnp] }, ["stranger", "server", false]);
  });
  it("Pass skips the rest of the tier, not NetworkPolicy", () => {
    const cnp = [
      { ...head("Admin", 1), ingress: [rule("Pass")] },
      { ...head("Admin", 2), ingress: [rule("Deny")] },
    ];
    check({ cnp }, ["stranger", "server", true]);
    check({ cnp, knp: [denyKnp] }, ["stranger", "server", false]);
  });
  it("NetworkPolicy is final for pods that it selects, Baseline is asked for the others", () => {
    const cnp = [{ ...head("Baseline", 1), ingress: [rule("Deny")] }];
    check({ cnp }, ["stranger", "server", false]);
    check({ cnp, knp: [ingress([{}])] }, ["stranger", "server", true], ["stranger", "friend", false]);
  });
  it("Pass in Baseline leaves what is allowed by default", () => {
    const cnp = [
      { ...head("Baseline", 1), ingress: [rule("Pass")] },
      { ...head("Baseline", 2), ingress: [rule("Deny")] },
    ];
    check({ cnp }, ["stranger", "server", true]);
  });
  it("lower priorities come first, rules in the order of the object", () => {
    const cnp = [
      { ...head("Admin", 9), ingress: [rule("Deny")] },
      { ...head("Admin", 3), ingress: [rule("Accept")] },
    ];
    check({ cnp }, ["stranger", "server", true]);
    check({ cnp: [{ ...head("Admin", 1), ingress: [rule("Deny"), rule("Accept")] }] }, ["stranger", "server", false]);
  });
  it("an empty list of rules leaves the direction alone: nothing is isolated", () =>
    check(
      { cnp: [{ ...head("Admin", 1), ingress: [], egress: [to("Deny", { namespaces: {} })] }] },
      ["stranger", "server", true],
      ["server", "stranger", false],
    ));
  it("a peer without a known field fails closed: Accept matches nothing, Deny and Pass deny all", () => {
    check({ cnp: [{ ...head("Admin", 1), ingress: [{ action: "Accept", from: [{}] }] }], knp: [denyKnp] }, [
      "stranger",
      "server",
      false,
    ]);
    for (const action of ["Deny", "Pass"])
      check(
        { cnp: [{ ...head("Admin", 1), ingress: [{ action, from: [{}] }] }] },
        ["stranger", "server", false],
        ["outside", "server", false],
      );
  });
  it("networks match pods as well", () =>
    check(
      { cnp: [{ ...head("Admin", 1), egress: [to("Deny", { networks: ["0.0.0.0/0"] })] }] },
      ["server", "stranger", false],
      ["server", "outside", false],
      ["server6", "stranger6", true],
    ));
  it("nodes are selected by their labels, for egress, and pods are none", () =>
    check(
      { cnp: [{ ...head("Admin", 1), egress: [to("Deny", { nodes: { matchLabels: { role: "control" } } })] }] },
      ["server", "other node", false],
      ["server", "own node", true],
      ["server", "stranger", true],
    ));
  it("domain names are not enforced: what accepts them opens nothing", () =>
    check(
      {
        cnp: [
          {
            ...head("Admin", 1),
            egress: [to("Accept", { domainNames: ["*.example.org"] }), to("Deny", { networks: ["0.0.0.0/0"] })],
          },
        ],
      },
      ["server", "outside", false],
    ));
  it("protocols: a protocol, a port, a range, a name", () => {
    const deny = (...protocols: object[]) => ({
      cnp: [{ ...head("Admin", 1), ingress: [rule("Deny", { protocols })] }],
    });
    check(
      deny({ tcp: { destinationPort: { number: 80 } } }),
      ["stranger", "server", false],
      ["stranger", "server", true, 81],
    );
    check(
      deny({ udp: { destinationPort: { range: { start: 80, end: 90 } } } }),
      ["stranger", "server", false, 90, 17],
      ["stranger", "server", true, 90],
    );
    check(
      deny({ destinationNamedPort: "web" }),
      ["stranger", "server", false, 8080],
      ["stranger", "server", true, 80],
      ["stranger", "server", true, 8080, 17],
    );
    check(deny({ sctp: {} }), ["stranger", "server", false, 7, 132], ["stranger", "server", true, 0x0800, 1]);
  });
  it("AdminNetworkPolicy stands in Admin, BaselineAdminNetworkPolicy last in Baseline", () => {
    const subject = { namespaces: { matchLabels: { ns: "x" } } };
    check({ anp: [{ priority: 1, subject, ingress: [rule("Allow")] }], knp: [denyKnp] }, ["stranger", "server", true]);
    check({ banp: [{ subject, ingress: [rule("Deny")] }] }, ["stranger", "server", false]);
    check(
      { banp: [{ subject, ingress: [rule("Deny")] }], cnp: [{ ...head("Baseline", 1000), ingress: [rule("Accept")] }] },
      ["stranger", "server", true],
    );
  });
  it("the subject is pods with a network of their own; nodes and outsiders are judged by nobody", () =>
    check(
      {
        cnp: [{ ...head("Admin", 1), subject: { namespaces: {} }, egress: [to("Deny", { networks: ["0.0.0.0/0"] })] }],
      },
      ["own node", "other node", true],
      ["server", "friend", false],
    ));
});
