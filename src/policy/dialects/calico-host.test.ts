import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../../base/result.ts";
import { createInterner } from "../../model/intern.ts";
import { parseCalicoTier, parseHostEndpoint } from "../../model/policy/calico-objects.ts";
import { parseGlobalNetworkPolicy } from "../../model/policy/calico-policy.ts";
import { DEFAULT_FAILSAFES, failsafePolicy } from "../failsafe.ts";
import { ask } from "../testing/dialect-world.ts";
import { CALICO_TIERS, translateCalicoPolicy, translateCalicoTier } from "./calico.ts";
import { translateHostEndpoint } from "./calico-host.ts";
import { calicoViews } from "./calico-labels.ts";

const interner = createInterner();
const endpoint = (spec: object) =>
  unwrap(
    parseHostEndpoint(
      { metadata: { name: "h", labels: { role: "node" } }, spec: { node: "n1", interfaceName: "*", ...spec } },
      interner,
    ),
  );
const policy = unwrap(
  parseGlobalNetworkPolicy(
    {
      metadata: { name: "p" },
      spec: {
        selector: "role == 'node'",
        ingress: [{ action: "Allow", protocol: "TCP", destination: { ports: [80, 22] } }],
      },
    },
    interner,
  ),
);
const context = { networkSets: [], namespaceLabels: () => new Map(), backends: () => [] };

function by(spec: object, of: string, peer: string, traffic: string, withPolicy = true): string {
  const e = endpoint(spec);
  const policies = [
    failsafePolicy(DEFAULT_FAILSAFES),
    ...translateHostEndpoint(e),
    ...(withPolicy ? translateCalicoPolicy(policy, context) : []),
  ];
  const a = ask(
    policies,
    { of, direction: "ingress", peer, traffic },
    calicoViews([e], () => new Map()),
  );
  return `${a.isAllowed ? "+" : "-"} ${a.by}`.trim();
}

test("a host endpoint that no policy selects denies, failsafe ports aside", () => {
  assert.equal(by({}, "n1", "outside", "tcp/80", false), "- h spec.profiles");
  assert.equal(by({}, "n1", "outside", "tcp/22", false), "+ twill policy.failsafe.inbound[0]");
  assert.equal(by({}, "n1", "outside", "udp/68", false), "+ twill policy.failsafe.inbound[8]");
  assert.equal(by({}, "n1", "outside", "udp/22", false), "- h spec.profiles");
});

test("with the profile that allows, it allows what no policy spoke about", () =>
  assert.equal(
    by({ profiles: ["projectcalico-default-allow"] }, "n1", "outside", "tcp/80", false),
    "+ h spec.profiles",
  ));

test("a policy of the cluster selects host endpoints by their labels, and isolates them", () => {
  assert.equal(by({}, "n1", "outside", "tcp/80"), "+ p spec.ingress[0]");
  assert.equal(by({}, "n1", "outside", "tcp/81"), "- end of default");
  assert.equal(by({ profiles: ["projectcalico-default-allow"] }, "n1", "outside", "tcp/81"), "- end of default");
});

test("all() of namespaces or of service accounts is no host endpoint, which has neither", () => {
  const selects = (spec: object) => {
    const all = unwrap(
      parseGlobalNetworkPolicy({ metadata: { name: "p" }, spec: { types: ["Ingress"], ...spec } }, interner),
    );
    const [e, of] = [endpoint({ profiles: ["projectcalico-default-allow"] }), "n1"];
    const policies = [...translateHostEndpoint(e), ...translateCalicoPolicy(all, context)];
    const views = calicoViews([e], () => new Map());
    return !ask(policies, { of, direction: "ingress", peer: "outside", traffic: "tcp/80" }, views).isAllowed;
  };
  assert.equal(selects({}), true);
  assert.equal(selects({ selector: "all()" }), true);
  assert.equal(selects({ namespaceSelector: "all()" }), false);
  assert.equal(selects({ namespaceSelector: "global()" }), true);
  assert.equal(selects({ serviceAccountSelector: "all()" }), false);
});

test("no policy speaks of a node without a host endpoint", () => assert.equal(by({}, "n2", "outside", "tcp/81"), "+"));

test("the default stands behind all policies, and what is not enforced is said", () => {
  const [last] = translateHostEndpoint(endpoint({ interfaceName: "eth0", profiles: ["other"] }));
  assert.equal(last.tier, "baseline");
  assert.deepEqual(last.ingress.rules[0]?.notEnforced, ["profile other"]);
});

test("the tiers that Calico has by itself are what objects of their names say", () => {
  for (const tier of CALICO_TIERS) {
    const parsed = unwrap(parseCalicoTier({ metadata: { name: tier.name }, spec: {} }, interner));
    assert.deepEqual(translateCalicoTier(parsed), tier);
  }
});
