import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { unwrap } from "../../base/result.ts";
import { parseStagedKubernetesNetworkPolicy } from "../../model/policy/calico-objects.ts";
import { answer, backends, gnp, interner, meta, np, type Setting, set, staged } from "../testing/calico-setting.ts";
import { outcomes } from "../testing/dialect-world.ts";
import { translateCalicoPolicy, translateStagedKubernetes } from "./calico.ts";

const says = (s: Setting, expected: Readonly<Record<string, string>>) =>
  assert.deepEqual(
    outcomes((line) => answer(s, line), Object.keys(expected)),
    expected,
  );

describe("types", () => {
  it("egress rules alone make it about egress only, unlike Kubernetes", () =>
    says(
      { calico: [np("p", { egress: [{ action: "Allow", protocol: "UDP" }] })] },
      { "web <- db tcp/80": "+", "web -> db tcp/80": "- end of default", "web -> db udp/53": "+ p spec.egress[0]" },
    ));
  it("rules of a direction that types leaves out do nothing", () =>
    says(
      { calico: [np("p", { types: ["Egress"], ingress: [{ action: "Deny" }] })] },
      { "web <- db tcp/80": "+", "web -> db tcp/80": "- end of default" },
    ));
});

describe("subjects", () => {
  const deny = { ingress: [{ action: "Deny" }] };
  const denied = (spec: object, isCluster = true) =>
    ["web", "db", "bank"].filter((of) => {
      const calico = [isCluster ? gnp("p", { ...deny, ...spec }) : np("p", { ...deny, ...spec })];
      return !answer({ calico }, `${of} <- outside tcp/80`).isAllowed;
    });
  const CASES: readonly (readonly [object, boolean, readonly string[]])[] = [
    [{}, true, ["web", "db", "bank"]],
    [{}, false, ["web", "db"]],
    [{ selector: "app == 'web'" }, true, ["web", "bank"]],
    [{ selector: "app == 'web'" }, false, ["web"]],
    [{ selector: "app != 'web'" }, true, ["db"]],
    [{ selector: "zone != 'x'" }, true, ["web", "db", "bank"]],
    [{ selector: "global()" }, false, ["web", "db"]],
    [{ namespaceSelector: "team == 'b'" }, true, ["bank"]],
    [{ namespaceSelector: "projectcalico.org/name == 'shop'" }, true, ["web", "db"]],
    [{ namespaceSelector: "global()" }, true, []],
    [{ namespaceSelector: "all()", selector: "app == 'db'" }, true, ["db"]],
    [{ serviceAccountSelector: "role == 'store'" }, true, ["db"]],
    [{ selector: "pcns.team == 'a' && pcsa.role == 'front'" }, true, ["web"]],
    [
      { selector: "projectcalico.org/serviceaccount == 'web-account' && projectcalico.org/orchestrator == 'k8s'" },
      true,
      ["web", "bank"],
    ],
    [{ selector: "has(projectcalico.org/namespace)" }, true, ["web", "db", "bank"]],
  ];
  for (const [spec, isCluster, expected] of CASES)
    it(`${isCluster ? "of the cluster" : "of a namespace"}: ${JSON.stringify(spec)} selects ${expected.join(", ") || "none"}`, () =>
      assert.deepEqual(denied(spec, isCluster), expected));
});

describe("peers", () => {
  const all = ["web", "db", "bank", "n2", "outside", "web6", "outside6"];
  const SETS = [
    set("offices", { kind: "office" }, ["203.0.113.0/24"]),
    set("shops", { kind: "shop" }, ["2001:db8::/32", "10.244.1.20/32"], false),
  ];
  const from = (source: object, isCluster: boolean) => {
    const spec = { ingress: [{ action: "Allow", source }] };
    const calico = [isCluster ? gnp("p", spec) : np("p", spec)];
    return all.filter((peer) => {
      const of = peer.endsWith("6") ? "db6" : "db";
      return answer({ calico, sets: SETS }, `${of} <- ${peer} tcp/80`).isAllowed;
    });
  };
  const CASES: readonly (readonly [object, boolean, readonly string[]])[] = [
    [{}, false, all],
    [{ selector: "app == 'web'" }, false, ["web", "web6"]],
    [{ selector: "app == 'web'" }, true, ["web", "bank", "web6"]],
    [{ selector: "all()" }, true, ["web", "db", "bank", "outside", "web6", "outside6"]],
    [{ selector: "all()" }, false, ["web", "db", "bank", "web6", "outside6"]],
    [{ selector: "kind == 'office'" }, true, ["outside"]],
    [{ selector: "kind == 'office'" }, false, []],
    [{ selector: "kind == 'office'", namespaceSelector: "global()" }, false, ["outside"]],
    [{ selector: "kind == 'shop'" }, false, ["bank", "outside6"]],
    [{ namespaceSelector: "all()" }, true, ["web", "db", "bank", "web6", "outside6"]],
    [{ namespaceSelector: "global()" }, true, ["outside"]],
    [{ namespaceSelector: "team == 'b'", selector: "app == 'web'" }, false, ["bank"]],
    [{ notSelector: "app == 'web'" }, true, ["db", "n2", "outside", "outside6"]],
    [{ selector: "app != 'web'" }, true, ["db", "bank", "outside", "outside6"]],
    [{ notSelector: "app == 'web'" }, false, ["db", "bank", "outside6"].filter((p) => p !== "bank")],
    [{ nets: ["10.244.1.0/27"] }, false, ["web", "db", "bank"]],
    [{ nets: ["10.244.1.0/24"], notNets: ["10.244.1.16/28"] }, true, ["web", "db"]],
    [{ notNets: ["0.0.0.0/0"] }, true, ["web6", "outside6"]],
    [{ nets: ["10.244.1.0/24"], selector: "app == 'web'" }, false, ["web"]],
    [{ serviceAccounts: { names: ["web-account"] } }, false, ["web", "web6"]],
    [{ serviceAccounts: { names: ["web-account"] } }, true, ["web", "bank", "web6"]],
    [{ serviceAccounts: { selector: "role == 'store'" }, namespaceSelector: "team == 'a'" }, true, ["db"]],
    [{ serviceAccounts: { names: ["db-account"], selector: "role == 'front'" } }, true, []],
    [{ services: { name: "api" } }, false, ["db", "bank"]],
    [{ services: { name: "api", namespace: "bank" } }, false, []],
  ];
  for (const [source, isCluster, expected] of CASES)
    it(`${isCluster ? "of the cluster" : "of a namespace"}: ${JSON.stringify(source)} is ${expected.join(", ") || "nobody"}`, () =>
      assert.deepEqual(from(source, isCluster), expected));

  it("a service as destination allows its addresses on its ports, each on its own", () =>
    says(
      { calico: [np("p", { egress: [{ action: "Allow", destination: { services: { name: "api" } } }] })] },
      {
        "web -> db tcp/80": "+ p spec.egress[0]",
        "web -> db tcp/8080": "- end of default",
        "web -> bank tcp/8080": "+ p spec.egress[0]",
        "web -> bank tcp/80": "- end of default",
        "web -> db udp/80": "- end of default",
      },
    ));
  it("the other end of a rule narrows the policy's own endpoints, in the order of the rules", () =>
    says(
      {
        calico: [
          np("p", {
            ingress: [
              { action: "Deny", protocol: "UDP" },
              { action: "Deny", destination: { selector: "app == 'db'" }, protocol: "TCP" },
              { action: "Allow" },
            ],
          }),
        ],
      },
      {
        "web <- bank udp/1": "- p spec.ingress[0]",
        "db <- bank tcp/1": "- p spec.ingress[1]",
        "web <- bank tcp/1": "+ p spec.ingress[2]",
      },
    ));
  it("a whole family as the policy's own nets is that family", () =>
    says(
      { calico: [np("p", { ingress: [{ action: "Allow", destination: { nets: ["0.0.0.0/0"] } }] })] },
      { "web <- db tcp/80": "+ p spec.ingress[0]", "web6 <- db6 tcp/80": "- end of default" },
    ));
});

describe("traffic", () => {
  const LINES: readonly (readonly [object, string, string])[] = [
    [{ protocol: "TCP" }, "tcp/1 tcp/65535", "udp/1 47 icmp/8"],
    [{ protocol: 47 }, "47", "46 tcp/1"],
    [{ notProtocol: "TCP" }, "udp/1 47 icmp/8", "tcp/1"],
    [{ protocol: "TCP", destination: { ports: [80, "100:200"] } }, "tcp/80 tcp/100 tcp/200", "tcp/81 tcp/201 udp/80"],
    [{ protocol: "TCP", destination: { notPorts: [80] } }, "tcp/81", "tcp/80 udp/81"],
    [{ protocol: "TCP", destination: { ports: ["http"] } }, "tcp/8080", "tcp/80 udp/8080"],
    [{ protocol: "TCP", destination: { ports: ["none"] } }, "", "tcp/8080 tcp/80"],
    [{ protocol: "ICMP" }, "icmp/8 icmp/0", "tcp/1"],
    [{ protocol: "ICMP", icmp: { type: 8 } }, "icmp/8 icmp/8.3", "icmp/0"],
    [{ protocol: "ICMP", icmp: { type: 3, code: 4 } }, "icmp/3.4", "icmp/3.3 icmp/4.4"],
    [{ protocol: "ICMP", notICMP: { type: 8 } }, "icmp/0", "icmp/8 icmp/8.1"],
    [{ ipVersion: 6 }, "", "tcp/80"],
    [{ protocol: "TCP", source: { ports: [1000] } }, "", "tcp/80"],
    [{ http: { methods: ["GET"] } }, "", "tcp/80"],
  ];
  for (const [rule, yes, no] of LINES)
    it(`${JSON.stringify(rule)} allows ${yes || "nothing"} and not ${no}`, () => {
      const calico = [np("p", { ingress: [{ action: "Allow", ...rule }] })];
      const allowed = (traffic: string) => answer({ calico }, `web <- db ${traffic}`).isAllowed;
      const list = (text: string) => text.split(" ").filter((t) => t !== "");
      assert.deepEqual(list(`${yes} ${no}`).filter(allowed), list(yes));
    });
  it("ipVersion and ICMPv6 speak about IPv6", () =>
    says(
      {
        calico: [
          np("p", {
            ingress: [
              { action: "Allow", protocol: "ICMPv6", icmp: { type: 128 } },
              { action: "Allow", ipVersion: 6, protocol: "TCP" },
            ],
          }),
        ],
      },
      {
        "web6 <- db6 icmpv6/128": "+ p spec.ingress[0]",
        "web6 <- db6 icmpv6/129": "- end of default",
        "web6 <- db6 tcp/80": "+ p spec.ingress[1]",
        "web <- db tcp/80": "- end of default",
      },
    ));
  it("named ports are the destination's, whichever end the policy stands at", () =>
    says(
      { calico: [np("p", { egress: [{ action: "Allow", protocol: "TCP", destination: { ports: ["http"] } }] })] },
      {
        "bank -> web tcp/80": "+",
        "web -> db tcp/80": "+ p spec.egress[0]",
        "web -> db tcp/8080": "- end of default",
        "web -> outside tcp/80": "- end of default",
      },
    ));
});

describe("what is not enforced fails closed", () => {
  it("a network set that could have an endpoint's own address widens denies of the own end and no allows", () => {
    const networkSets = [set("s", { kind: "a" }, ["10.244.1.10/32"], false)];
    const context = { networkSets, namespaceLabels: () => new Map(), backends };
    const subject = (action: string, destination: object) => {
      const policies = translateCalicoPolicy(np("p", { ingress: [{ action, destination }] }), context);
      return policies.at(-1)?.subject.is;
    };
    const whole = translateCalicoPolicy(np("p", {}), context)[0]?.subject.is;
    assert.deepEqual(subject("Deny", { selector: "kind == 'a'" }), whole);
    assert.notDeepEqual(subject("Allow", { selector: "kind == 'a'" }), whole);
    assert.deepEqual(subject("Allow", { notSelector: "kind == 'a'" }), { kind: "none" });
  });
  it("http, source ports and nets of the own end are kept in words and open nothing", () => {
    const context = { networkSets: [], namespaceLabels: () => new Map(), backends };
    const rules = (r: object) =>
      translateCalicoPolicy(np("p", { ingress: [{ action: "Allow", ...r }] }), context)[0]?.ingress.rules.slice(1);
    assert.deepEqual(
      rules({ http: { methods: ["GET"], paths: [{ prefix: "/a" }] } })?.map((r) => [r.notEnforced, r.traffic]),
      [[['http method GET, path prefix "/a"'], []]],
    );
    assert.deepEqual(
      rules({ destination: { nets: ["10.0.0.0/8"] } })?.map((r) => [r.notEnforced, r.traffic]),
      [[["nets of the policy's own endpoints"], []]],
    );
  });
  it("a Deny about nets of the own end denies for all of them", () => {
    const context = { networkSets: [], namespaceLabels: () => new Map(), backends };
    const [p] = translateCalicoPolicy(
      np("p", { ingress: [{ action: "Deny", destination: { nets: ["10.0.0.0/8"] } }] }),
      context,
    );
    assert.deepEqual(p?.ingress.rules[1]?.traffic, [{}]);
  });
  for (const field of ["doNotTrack", "preDNAT"])
    it(`${field} is for host endpoints, denies before all tiers, and opens nothing`, () => {
      const context = { networkSets: [], namespaceLabels: () => new Map(), backends };
      const spec = {
        [field]: true,
        applyOnForward: true,
        ingress: [{ action: "Allow" }, { action: "Deny", protocol: "UDP" }, { action: "Pass" }],
      };
      const policies = translateCalicoPolicy(gnp("p", spec), context);
      assert.deepEqual(
        policies.map((p) => [p.subject.of, p.tier, p.order, p.ingress.isolates]),
        [["nodes", "admin", Number.NEGATIVE_INFINITY, false]],
      );
      assert.deepEqual(
        policies[0]?.ingress.rules.map((r) => r.traffic.length),
        [0, 1, 0],
      );
      assert.ok(policies[0]?.ingress.rules.every((r) => r.notEnforced.some((n) => n.startsWith(field))));
    });
});

describe("staged policies", () => {
  const spec = { ingress: [{ action: "Deny", protocol: "TCP" }, { action: "Allow" }] };
  it("change nothing and tell what they would", () => {
    const calico = [staged("s", spec)];
    says({ calico }, { "web <- db tcp/80": "+" });
    assert.equal(answer({ calico }, "web <- db tcp/80", true).by, "s spec.ingress[0]");
  });
  it("with stagedAction Delete, Learn or Ignore are no policies", () => {
    const context = { networkSets: [], namespaceLabels: () => new Map(), backends };
    for (const stagedAction of ["Delete", "Learn", "Ignore"])
      assert.deepEqual(translateCalicoPolicy(staged("s", { ...spec, stagedAction }), context), []);
  });
  it("of Kubernetes' kind are that policy, staged", () => {
    const parsed = unwrap(
      parseStagedKubernetesNetworkPolicy(
        { metadata: meta("s"), spec: { podSelector: {}, policyTypes: ["Ingress"] } },
        interner,
      ),
    );
    const extra = translateStagedKubernetes(parsed);
    assert.equal(answer({ extra }, "web <- db tcp/80").isAllowed, true);
    assert.equal(answer({ extra }, "web <- db tcp/80", true).isAllowed, false);
    assert.equal(extra[0]?.ref.kind, "StagedKubernetesNetworkPolicy");
  });
});

test("translating twice gives equal policies", () => {
  const context = { networkSets: [], namespaceLabels: () => new Map(), backends };
  const p = gnp("p", { selector: "a == 'b'", ingress: [{ action: "Allow", destination: { selector: "has(x)" } }] });
  assert.deepEqual(translateCalicoPolicy(p, context), translateCalicoPolicy(p, context));
});
