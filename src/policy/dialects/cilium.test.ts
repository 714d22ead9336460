import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { unwrap } from "../../base/result.ts";
import { createInterner } from "../../model/intern.ts";
import { type CalicoPolicy, parseGlobalNetworkPolicy } from "../../model/policy/calico-policy.ts";
import {
  type CiliumPolicy,
  parseCiliumCidrGroup,
  parseCiliumClusterwideNetworkPolicy,
  parseCiliumNetworkPolicy,
} from "../../model/policy/cilium-policy.ts";
import { type NetworkPolicy, parseNetworkPolicy } from "../../model/policy/network-policy.ts";
import { addr } from "../../net/addr.ts";
import { ciliumSays } from "../literal/cilium.ts";
import { decide } from "../literal/decide.ts";
import type { LiteralCluster } from "../literal/flow.ts";
import { dialects } from "../literal/tiers.ts";
import type { Direction } from "../rule.ts";
import { type Answer, ask, at, outcomes, trafficOf, WORLD } from "../testing/dialect-world.ts";
import { translateCalicoPolicy } from "./calico.ts";
import { calicoViews } from "./calico-labels.ts";
import { translateCiliumPolicy } from "./cilium.ts";
import { CILIUM_VIEWS, ciliumPodLabels } from "./cilium-labels.ts";
import type { CiliumContext } from "./cilium-peer.ts";
import { translateNetworkPolicy } from "./kubernetes.ts";

const interner = createInterner();
const metadata = (name: string) => ({ name, namespace: "shop" });
const cnp = (name: string, spec: object) =>
  unwrap(parseCiliumNetworkPolicy({ metadata: metadata(name), spec: { endpointSelector: {}, ...spec } }, interner));
const ccnp = (name: string, spec: object) =>
  unwrap(parseCiliumClusterwideNetworkPolicy({ metadata: metadata(name), spec }, interner));
const knp = (name: string, spec: object) => unwrap(parseNetworkPolicy({ metadata: metadata(name), spec }, interner));
const gnp = (name: string, spec: object) =>
  unwrap(parseGlobalNetworkPolicy({ metadata: metadata(name), spec }, interner));
const group = (name: string, labels: object, externalCIDRs: string[]) =>
  unwrap(parseCiliumCidrGroup({ metadata: { name, labels }, spec: { externalCIDRs } }, interner));

const SERVICES = [
  { namespace: "shop", name: "api", labels: new Map([["app", "api"]]) },
  { namespace: "bank", name: "pay", labels: new Map([["app", "pay"]]) },
];
const BACKENDS: Readonly<Record<string, string>> = { "shop/api": "10.244.1.11", "bank/pay": "10.244.1.20" };
const backends = (namespace: string, name: string) => {
  const at = BACKENDS[`${namespace}/${name}`];
  return at === undefined ? [] : [{ addr: addr(at), protocol: 6, port: 80 }];
};

const context: CiliumContext = {
  cidrGroups: [
    group("offices", { kind: "office" }, ["203.0.113.0/24"]),
    group("labs", { kind: "lab" }, ["2001:db8::/32", "10.244.1.0/24"]),
  ],
  services: () => SERVICES,
  backends,
};
const none = { networkSets: [], namespaceLabels: () => new Map(), backends: () => [] };
const calico = calicoViews([], () => new Map());
const views = {
  pod: (...a: Parameters<NonNullable<typeof calico.pod>>) =>
    new Map([...(calico.pod?.(...a) ?? []), ...(CILIUM_VIEWS.pod?.(...a) ?? [])]),
  node: (...a: Parameters<NonNullable<typeof calico.node>>) =>
    new Map([...(calico.node?.(...a) ?? []), ...(CILIUM_VIEWS.node?.(...a) ?? [])]),
};

interface Setting {
  readonly cilium?: readonly CiliumPolicy[];
  readonly kubernetes?: readonly NetworkPolicy[];
  readonly calico?: readonly CalicoPolicy[];
}

/** Asks the translated rules, and for pods holds the literal evaluator against them. */
function answer(s: Setting, line: string): Answer {
  const [of = "", arrow, peer = "", traffic = ""] = line.split(" ");
  const direction: Direction = arrow === "<-" ? "ingress" : "egress";
  const policies = [
    ...(s.cilium ?? []).flatMap((p) => translateCiliumPolicy(p, context)),
    ...(s.kubernetes ?? []).map(translateNetworkPolicy),
    ...(s.calico ?? []).flatMap((p) => translateCalicoPolicy(p, none)),
  ];
  const got = ask(policies, { of, direction, peer, traffic }, views);
  if (of === "n1") return got;
  const cluster: LiteralCluster = { ...WORLD, networkPolicies: s.kubernetes ?? [], clusterPolicies: [] };
  const [from, to] = direction === "ingress" ? [at(peer), at(of)] : [at(of), at(peer)];
  const others = dialects({
    cluster,
    tiers: [],
    policies: s.calico ?? [],
    calico: { networkSets: [], serviceAccountLabels: () => new Map(), backends: () => [] },
    cilium: (flow, pod, d) =>
      ciliumSays(
        cluster,
        { policies: s.cilium ?? [], cidrGroups: context.cidrGroups, services: SERVICES, backends },
        flow,
        pod,
        d,
      ),
  });
  const literal = decide(cluster, { from, to, ...trafficOf(traffic) }, others);
  assert.equal(literal[direction], got.isAllowed, `${line}: the literal evaluator disagrees (${got.by})`);
  return got;
}

const says = (s: Setting, expected: Readonly<Record<string, string>>) =>
  assert.deepEqual(
    outcomes((line) => answer(s, line), Object.keys(expected)),
    expected,
  );

const END = "- end of default";

describe("default deny", () => {
  it("follows from rules of the direction, and only of that one", () =>
    says(
      { cilium: [cnp("p", { ingress: [{ fromEndpoints: [{ matchLabels: { app: "db" } }] }] })] },
      {
        "web <- db tcp/80": "+ p spec.ingress[0]",
        "web <- bank tcp/80": END,
        "web -> bank tcp/80": "+",
        "bank <- web tcp/80": "+",
      },
    ));
  it("an empty rule denies all and allows nobody", () =>
    says({ cilium: [cnp("p", { ingress: [{}] })] }, { "web <- db tcp/80": END, "web -> db tcp/80": "+" }));
  it("an empty list of rules changes nothing", () =>
    says({ cilium: [cnp("p", { ingress: [], egress: [] })] }, { "web <- db tcp/80": "+", "web -> db tcp/80": "+" }));
  it("enableDefaultDeny false lets through what no rule speaks about, and denies still deny", () =>
    says(
      { cilium: [cnp("p", { enableDefaultDeny: { ingress: false }, ingressDeny: [{ fromEntities: ["world"] }] })] },
      { "web <- db tcp/80": "+", "web <- outside tcp/80": "- p spec.ingressDeny[0]" },
    ));
  it("deny rules alone deny the rest as well", () =>
    says({ cilium: [cnp("p", { ingressDeny: [{ fromEntities: ["world"] }] })] }, { "web <- db tcp/80": END }));
  it("a node reaches its own pods, but not what is denied to it, and no other node does", () => {
    says(
      { cilium: [cnp("p", { ingress: [{}] })] },
      { "web <- n1 tcp/80": "+ p spec.ingress", "web <- n2 tcp/80": END },
    );
    says(
      { cilium: [cnp("p", { ingressDeny: [{ fromEntities: ["host"] }] })] },
      { "web <- n1 tcp/80": "- p spec.ingressDeny[0]" },
    );
  });
});

describe("deny beats allow", () => {
  it("at any specificity, in any policy, of Kubernetes' too", () =>
    says(
      {
        cilium: [
          cnp("allow", { ingress: [{ fromEndpoints: [{}], toPorts: [{ ports: [{ port: "80", protocol: "TCP" }] }] }] }),
          ccnp("deny", { endpointSelector: {}, ingressDeny: [{ fromEntities: ["cluster"] }] }),
        ],
        kubernetes: [knp("k", { podSelector: {}, ingress: [{}] })],
      },
      { "web <- db tcp/80": "- deny spec.ingressDeny[0]", "web <- outside tcp/80": "+ k spec.ingress[0]" },
    ));
  it("Calico's policies before order 1000 stand before it, those behind it do not", () => {
    const cilium = [cnp("d", { ingressDeny: [{ fromEndpoints: [{}] }] })];
    const rule = { ingress: [{ action: "Allow" }] };
    says({ cilium, calico: [gnp("c", { order: 10, ...rule })] }, { "web <- db tcp/80": "+ c spec.ingress[0]" });
    says({ cilium, calico: [gnp("c", { order: 1000, ...rule })] }, { "web <- db tcp/80": "- d spec.ingressDeny[0]" });
    says({ cilium, calico: [gnp("c", rule)] }, { "web <- db tcp/80": "- d spec.ingressDeny[0]" });
  });
});

describe("peers", () => {
  const all = ["web", "db", "bank", "n1", "n2", "outside", "web6", "outside6"];
  const reached = (rule: object, isCluster: boolean) => {
    const cilium = [isCluster ? ccnp("p", { endpointSelector: {}, egress: [rule] }) : cnp("p", { egress: [rule] })];
    return all.filter((peer) => answer({ cilium }, `${peer.endsWith("6") ? "db6" : "db"} -> ${peer} tcp/80`).isAllowed);
  };
  const to = (l: object) => ({ toEndpoints: [{ matchLabels: l }] });
  const pods = ["web", "db", "bank", "web6"];
  const CASES: readonly (readonly [object, boolean, readonly string[]])[] = [
    [{ toEndpoints: [] }, false, []],
    [{ toEndpoints: [], toPorts: [{ ports: [{ port: "80" }] }] }, false, []],
    [{ toEndpoints: [{}] }, false, ["web", "db", "web6"]],
    [{ toEndpoints: [{}] }, true, pods],
    [to({ app: "web" }), false, ["web", "web6"]],
    [to({ "k8s:app": "web" }), true, ["web", "bank", "web6"]],
    [to({ "any:app": "web" }), true, ["web", "bank", "web6"]],
    [to({ "reserved:app": "web" }), true, []],
    [to({ "k8s:io.kubernetes.pod.namespace": "bank" }), false, ["bank"]],
    [to({ "io.kubernetes.pod.namespace": "bank", app: "db" }), false, []],
    [to({ "k8s:io.cilium.k8s.namespace.labels.team": "b" }), false, ["bank"]],
    [
      { toEndpoints: [{ matchExpressions: [{ key: "io.kubernetes.pod.namespace", operator: "Exists" }] }] },
      false,
      pods,
    ],
    [{ toEndpoints: [{ matchExpressions: [{ key: "app", operator: "NotIn", values: ["web"] }] }] }, true, ["db"]],
    [{ toEndpoints: [{ matchExpressions: [{ key: "app", operator: "DoesNotExist" }] }] }, true, []],
    [to({ "k8s:io.cilium.k8s.policy.serviceaccount": "web-account" }), true, ["web", "bank", "web6"]],
    [to({ "reserved:host": "" }), false, ["n1"]],
    [to({ "reserved:remote-node": "" }), true, ["n2"]],
    [to({ "reserved:world": "" }), false, ["outside", "outside6"]],
    [{ toEntities: ["all"] }, false, all],
    [{ toEntities: ["world"] }, false, ["outside", "outside6"]],
    [{ toEntities: ["world-ipv4"] }, false, ["outside"]],
    [{ toEntities: ["world-ipv6"] }, false, ["outside6"]],
    [{ toEntities: ["cluster"] }, false, ["web", "db", "bank", "n1", "n2", "web6"]],
    [{ toEntities: ["host"] }, false, ["n1"]],
    [{ toEntities: ["remote-node"] }, false, ["n2"]],
    [{ toEntities: ["none", "ingress", "health", "init", "unmanaged"] }, false, []],
    [{ toCIDR: ["0.0.0.0/0"] }, false, ["outside"]],
    [{ toCIDR: ["10.244.1.11/32", "192.168.77.12"] }, false, []],
    [{ toCIDRSet: [{ cidr: "203.0.113.0/24", except: ["203.0.113.0/29"] }] }, false, []],
    [{ toCIDRSet: [{ cidr: "203.0.113.0/24", except: ["203.0.113.8/29"] }] }, false, ["outside"]],
    [{ toCIDRSet: [{ cidrGroupRef: "offices" }] }, false, ["outside"]],
    [{ toCIDRSet: [{ cidrGroupRef: "offices", except: ["203.0.113.7/32"] }] }, false, []],
    [{ toCIDRSet: [{ cidrGroupRef: "none" }] }, false, []],
    [{ toCIDRSet: [{ cidrGroupSelector: { matchLabels: { kind: "lab" } } }] }, false, ["outside6"]],
    [{ toNodes: [{}] }, false, ["n1", "n2"]],
    [{ toNodes: [{ matchLabels: { zone: "two" } }] }, false, ["n2"]],
    [{ toServices: [{ k8sService: { serviceName: "api" } }] }, false, ["db"]],
    [{ toServices: [{ k8sService: { serviceName: "pay", namespace: "bank" } }] }, false, ["bank"]],
    [
      { toServices: [{ k8sServiceSelector: { selector: { matchLabels: { app: "pay" } }, namespace: "bank" } }] },
      false,
      ["bank"],
    ],
    [{ toServices: [{ k8sServiceSelector: { selector: {} } }] }, false, ["db"]],
    [{ toServices: [{ k8sServiceSelector: { selector: {} } }] }, true, ["db", "bank"]],
    [{ toFQDNs: [{ matchPattern: "*.example.org" }] }, false, []],
    [{ toGroups: [{ aws: { securityGroupsIds: ["sg"] } }] }, false, []],
    [{ toEntities: ["namespace"] }, false, ["web", "db", "web6"]],
    [{ toEntities: ["namespace"] }, true, []],
    [{ toPorts: [{ ports: [{ port: "80" }] }] }, false, all],
  ];
  for (const [rule, isCluster, expected] of CASES)
    it(`${isCluster ? "of the cluster" : "of a namespace"}: ${JSON.stringify(rule)} is ${expected.join(", ") || "nobody"}`, () =>
      assert.deepEqual(reached(rule, isCluster), expected));
});

describe("subjects", () => {
  it("the policy's namespace is added, and takes the place of another that matchLabels name", () => {
    const spec = (l: object) => ({ endpointSelector: { matchLabels: l }, ingress: [{}] });
    says(
      { cilium: [cnp("p", spec({ app: "web" }))] },
      { "web <- db tcp/80": END, "db <- web tcp/80": "+", "bank <- db tcp/80": "+" },
    );
    says(
      { cilium: [cnp("p", spec({ "k8s:io.kubernetes.pod.namespace": "bank", app: "web" }))] },
      { "bank <- db tcp/80": "+", "web <- db tcp/80": END, "db <- web tcp/80": "+" },
    );
    // In other words it is a condition like others, which nothing here meets.
    const asked = { matchExpressions: [{ key: "k8s:io.kubernetes.pod.namespace", operator: "In", values: ["bank"] }] };
    for (const endpointSelector of [asked, { matchLabels: { "io.kubernetes.pod.namespace": "bank" } }])
      says(
        { cilium: [cnp("p", { endpointSelector, ingress: [{}] })] },
        { "bank <- db tcp/80": "+", "web <- db tcp/80": "+" },
      );
  });
  it("of the cluster it selects pods of every namespace", () =>
    says(
      { cilium: [ccnp("p", { endpointSelector: { matchLabels: { app: "web" } }, ingress: [{}] })] },
      { "web <- db tcp/80": END, "bank <- db tcp/80": END, "db <- web tcp/80": "+" },
    ));
  it("each of several specs has its own selection", () => {
    const p = unwrap(
      parseCiliumNetworkPolicy(
        {
          metadata: metadata("p"),
          specs: [
            { endpointSelector: { matchLabels: { app: "web" } }, ingress: [{}] },
            { endpointSelector: { matchLabels: { app: "db" } }, ingress: [{ fromEntities: ["all"] }] },
          ],
        },
        interner,
      ),
    );
    says({ cilium: [p] }, { "web <- db tcp/80": END, "db <- web tcp/80": "+ p specs[1].ingress[0]" });
  });
  it("nodeSelector makes a policy of the node itself, without a way in for the node", () =>
    says(
      {
        cilium: [
          ccnp("h", { nodeSelector: { matchLabels: { zone: "one" } }, ingress: [{ fromEntities: ["cluster"] }] }),
        ],
      },
      { "n1 <- web tcp/22": "+ h spec.ingress[0]", "n1 <- outside tcp/22": END, "web <- outside tcp/22": "+" },
    ));
  it("a pod's own labels cannot pass for its namespace's", () => {
    const [pod] = WORLD.pods;
    const labels = new Map([
      ["io.cilium.k8s.namespace.labels.team", "b"],
      ["io.kubernetes.pod.namespace", "bank"],
    ]);
    const seen = ciliumPodLabels({ ...pod, labels }, new Map());
    assert.equal(seen.get("k8s:io.kubernetes.pod.namespace"), "shop");
    assert.equal(seen.has("k8s:io.cilium.k8s.namespace.labels.team"), false);
  });
});

describe("traffic", () => {
  const p = (...ports: object[]) => ({ toPorts: [{ ports }] });
  const LINES: readonly (readonly [object, string, string])[] = [
    [p({ port: "80", protocol: "TCP" }), "tcp/80", "udp/80 tcp/81"],
    [p({ port: "80" }), "tcp/80 udp/80 sctp/80", "tcp/81 icmp/0 47"],
    [p({ port: "80", protocol: "ANY" }), "tcp/80 udp/80 sctp/80", "tcp/81"],
    [p({ port: "0", protocol: "UDP" }), "udp/1 udp/65535", "tcp/1"],
    [p({ port: "0" }), "tcp/1 udp/1 sctp/1", "icmp/8 47"],
    [p({ port: "80", endPort: 90, protocol: "TCP" }), "tcp/80 tcp/90", "tcp/91 tcp/79"],
    [p({ port: "http", protocol: "TCP" }), "tcp/8080", "tcp/80 udp/8080"],
    [p({ port: "http" }), "tcp/8080", "udp/8080"],
    [p({ port: "1", protocol: "TCP" }, { port: "2", protocol: "UDP" }), "tcp/1 udp/2", "tcp/2 udp/1"],
    [p({ protocol: "VRRP" }), "112", "tcp/1 113"],
    [p({ port: "0", protocol: "IGMP" }), "2", "3"],
    [p({ protocol: "ICMP" }), "icmp/8 icmp/0", "tcp/1"],
    [{ icmps: [{ fields: [{ type: 8 }] }] }, "icmp/8 icmp/8.3", "icmp/0 tcp/8"],
    [{ icmps: [{ fields: [{ type: "EchoReply" }, { type: "3" }] }] }, "icmp/0 icmp/3.4", "icmp/8"],
    [{ icmps: [{ fields: [{ family: "IPv6", type: "EchoRequest" }] }] }, "", "icmp/8"],
    [{ toPorts: [{}] }, "", "tcp/80"],
    [{ fromEndpoints: [{}] }, "tcp/1 icmp/8 47", ""],
    [{ ...p({ port: "80" }), fromEndpoints: [{ matchLabels: { app: "web" } }] }, "", "tcp/80"],
    [{ ...p({ port: "80" }), fromEndpoints: [{ matchLabels: { app: "db" } }] }, "tcp/80", "tcp/81"],
  ];
  const list = (text: string) => text.split(" ").filter((t) => t !== "");
  for (const [rule, yes, no] of LINES)
    it(`${JSON.stringify(rule)} allows ${yes || "nothing"} and not ${no}`, () => {
      const cilium = [cnp("p", { ingress: [rule] })];
      const allowed = (traffic: string) => answer({ cilium }, `web <- db ${traffic}`).isAllowed;
      assert.deepEqual(list(`${yes} ${no}`).filter(allowed), list(yes));
    });
  it("ICMPv6 by name is IPv6's", () =>
    says(
      { cilium: [cnp("p", { ingress: [{ icmps: [{ fields: [{ family: "IPv6", type: "EchoRequest" }] }] }] })] },
      { "web6 <- db6 icmpv6/128": "+ p spec.ingress[0]", "web6 <- db6 icmpv6/129": END },
    ));
});

describe("what is not enforced fails closed", () => {
  const L7 = { ports: [{ port: "80", protocol: "TCP" }], rules: { http: [{ method: "GET" }] } };
  const rules = (spec: object) =>
    translateCiliumPolicy(cnp("p", spec), context).flatMap((p) => [...p.ingress.rules, ...p.egress.rules]);
  it("layer 7 opens nothing, and is kept in words beside the plain ports of its rule", () => {
    says(
      { cilium: [cnp("p", { ingress: [{ toPorts: [L7, { ports: [{ port: "81" }] }] }] })] },
      { "web <- db tcp/80": END, "web <- db tcp/81": "+ p spec.ingress[0]" },
    );
    const kept = rules({ ingress: [{ toPorts: [L7, { ports: [{ port: "81" }] }] }] }).slice(1);
    assert.deepEqual(
      kept.map((r) => [r.notEnforced, r.traffic.length]),
      [
        [[], 1],
        [["rules.http"], 0],
      ],
    );
  });
  for (const beyond of [
    { terminatingTLS: {} },
    { originatingTLS: {} },
    { serverNames: ["a.b"] },
    { listener: { name: "l" } },
  ])
    it(`${Object.keys(beyond)[0]} opens nothing`, () =>
      says(
        { cilium: [cnp("p", { ingress: [{ toPorts: [{ ports: [{ port: "80" }], ...beyond }] }] })] },
        { "web <- db tcp/80": END },
      ));
  it("authentication opens nothing unless it is disabled", () => {
    const rule = (mode: string) => ({ fromEndpoints: [{}], authentication: { mode } });
    says({ cilium: [cnp("p", { ingress: [rule("required")] })] }, { "web <- db tcp/80": END });
    says({ cilium: [cnp("p", { ingress: [rule("test-always-fail")] })] }, { "web <- db tcp/80": END });
    says({ cilium: [cnp("p", { ingress: [rule("disabled")] })] }, { "web <- db tcp/80": "+ p spec.ingress[0]" });
    assert.deepEqual(rules({ ingress: [rule("required")] }).at(-1)?.notEnforced, ["authentication required"]);
  });
  it("the entity namespace in a policy of the cluster is nobody in allows, everybody in denies, and reported", () => {
    const spec = {
      endpointSelector: {},
      ingress: [{ fromEntities: ["all"] }],
      ingressDeny: [{ fromEntities: ["namespace"] }],
    };
    says({ cilium: [ccnp("p", spec)] }, { "web <- outside tcp/80": "- p spec.ingressDeny[0]" });
    const [deny] = translateCiliumPolicy(ccnp("p", spec), context);
    assert.deepEqual(deny?.ingress.rules[0]?.notEnforced, ["fromEntities namespace"]);
  });
  it("names and groups of a cloud are nobody in allows, and everybody in denies", () => {
    assert.deepEqual(
      rules({ egress: [{ toFQDNs: [{ matchName: "a.b" }] }] }).map((r) => [r.peer.kind, r.notEnforced]),
      [["none", ["toFQDNs matchName a.b"]]],
    );
    says(
      { cilium: [cnp("p", { egressDeny: [{ toGroups: [{ aws: {} }] }], egress: [{ toEntities: ["all"] }] })] },
      { "web -> outside tcp/80": "- p spec.egressDeny[0]" },
    );
  });
});

test("translating twice gives equal policies", () => {
  const p = cnp("p", { ingress: [{ fromEndpoints: [{}] }], egressDeny: [{ toCIDR: ["10.0.0.0/8"] }] });
  assert.deepEqual(translateCiliumPolicy(p, context), translateCiliumPolicy(p, context));
});
