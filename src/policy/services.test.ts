/** Policies that speak of services, service accounts and API servers, as those objects come, change and are not to be seen. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issue } from "../base/issue.ts";
import type { Result } from "../base/result.ts";
import { type EndpointSlice, parseEndpointSlice } from "../model/endpoint-slice.ts";
import { createInterner, type Interner } from "../model/intern.ts";
import { parseCalicoNetworkPolicy } from "../model/policy/calico-policy.ts";
import { parseCiliumNetworkPolicy } from "../model/policy/cilium-policy.ts";
import { parseService } from "../model/service.ts";
import { parseServiceAccount } from "../model/service-account.ts";
import { type Table, tableFrom } from "../store/table.ts";
import { createRuleReader, type PolicyObjects } from "./from-objects.ts";
import { ask } from "./testing/dialect-world.ts";
import { emptyObjects } from "./testing/policy-objects.ts";

const interner = createInterner();

function parsed<T>(parse: (v: unknown, i: Interner) => Result<T, readonly Issue[]>, value: unknown): T {
  const result = parse(value, interner);
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.error));
  return result.value;
}

type Named = { readonly namespace: string; readonly name: string };
const keyed = <T extends Named>(...rows: readonly T[]): Table<T> => tableFrom(rows, (r) => `${r.namespace}/${r.name}`);

const calico = (spec: object) =>
  keyed(parsed(parseCalicoNetworkPolicy, { metadata: { namespace: "shop", name: "p" }, spec }));
const cilium = (spec: object) =>
  keyed(parsed(parseCiliumNetworkPolicy, { metadata: { namespace: "shop", name: "p" }, spec }));
const slice = (
  name: string,
  service: string,
  addresses: readonly string[],
  ports: readonly object[] = [{ port: 80 }],
) =>
  parsed(parseEndpointSlice, {
    metadata: {
      namespace: name === "kubernetes" ? "default" : "shop",
      name,
      labels: { "kubernetes.io/service-name": service },
    },
    endpoints: [{ addresses }],
    ports,
  });

/** A reader with a cluster that can be changed. */
function cluster(first: Partial<PolicyObjects>) {
  const reader = createRuleReader();
  let objects: PolicyObjects = { ...emptyObjects(), ...first };
  return {
    change: (more: Partial<PolicyObjects>) => {
      objects = { ...objects, ...more };
    },
    read: () => reader.read(objects),
    /** `web -> db tcp/80`: whether it is allowed. */
    allows(line: string): boolean {
      const [of = "", arrow, peer = "", traffic = ""] = line.split(" ");
      const { policies, views, tiers } = reader.read(objects);
      return ask(policies, { of, direction: arrow === "<-" ? "ingress" : "egress", peer, traffic }, views, tiers)
        .isAllowed;
    },
  };
}

describe("Calico's services", () => {
  const toApi = { selector: "app == 'web'", egress: [{ action: "Allow", destination: { services: { name: "api" } } }] };

  test("are the addresses and ports of their slices, and follow them", () => {
    const c = cluster({ calicoNetworkPolicies: calico(toApi) });
    assert.deepEqual([...c.read().wants], ["endpointSlices"]);
    assert.equal(c.allows("web -> db tcp/80"), false, "no slice yet");
    let slices: Table<EndpointSlice> = keyed(slice("api-1", "api", ["10.244.1.11"]));
    c.change({ endpointSlices: slices });
    assert.equal(c.allows("web -> db tcp/80"), true);
    assert.equal(c.allows("web -> db tcp/81"), false);
    assert.equal(c.allows("web -> bank tcp/80"), false);
    slices = slices.with([{ key: "shop/api-2", row: slice("api-2", "api", ["10.244.1.20"], [{ port: 81 }]) }]);
    c.change({ endpointSlices: slices });
    assert.equal(c.allows("web -> bank tcp/81"), true);
    assert.equal(c.allows("web -> db tcp/80"), true);
    slices = slices.with([{ key: "shop/api-1", row: undefined }]);
    c.change({ endpointSlices: slices });
    assert.equal(c.allows("web -> db tcp/80"), false);
  });

  test("that nothing asks for change no translation, and an endpoint that stays the same neither", () => {
    let slices: Table<EndpointSlice> = keyed(slice("api-1", "api", ["10.244.1.11"]));
    const c = cluster({ calicoNetworkPolicies: calico(toApi), endpointSlices: slices });
    const before = c.read().policies;
    slices = slices.with([{ key: "shop/other", row: slice("other", "other", ["10.244.1.20"]) }]);
    c.change({ endpointSlices: slices });
    assert.equal(c.read().policies, before);
    // Moved to another slice of the service.
    slices = slices.with([
      { key: "shop/api-1", row: undefined },
      { key: "shop/api-2", row: slice("api-2", "api", ["10.244.1.11"]) },
    ]);
    c.change({ endpointSlices: slices });
    assert.equal(c.read().policies, before);
    slices = slices.with([{ key: "shop/api-2", row: slice("api-2", "api", ["10.244.1.12"]) }]);
    c.change({ endpointSlices: slices });
    assert.notEqual(c.read().policies, before);
  });

  test("a port that is not given is every port, and without ports there is nothing to connect to", () => {
    const every = slice("api-1", "api", ["10.244.1.11"], [{ protocol: "UDP" }]);
    const c = cluster({ calicoNetworkPolicies: calico(toApi), endpointSlices: keyed(every) });
    assert.equal(c.allows("web -> db udp/5000"), true);
    assert.equal(c.allows("web -> db tcp/5000"), false);
    c.change({ endpointSlices: keyed(slice("api-1", "api", ["10.244.1.11"], [])) });
    assert.equal(c.allows("web -> db udp/5000"), false);
  });

  test("that cannot be seen open nothing and close everything, and the rule says so", () => {
    const unknown = { endpointSlices: undefined };
    const allow = cluster({ calicoNetworkPolicies: calico(toApi), ...unknown });
    assert.equal(allow.allows("web -> db tcp/80"), false);
    const deny = {
      selector: "app == 'web'",
      egress: [{ action: "Deny", destination: { services: { name: "api" } } }, { action: "Allow" }],
    };
    const c = cluster({ calicoNetworkPolicies: calico(deny), ...unknown });
    assert.equal(c.allows("web -> outside udp/53"), false);
    assert.deepEqual(
      [...c.read().policies].flatMap((p) => p.egress.rules.flatMap((r) => r.notEnforced)),
      ["service shop/api: its EndpointSlices cannot be read"],
    );
    c.change({ endpointSlices: keyed(slice("api-1", "api", ["10.244.1.11"])) });
    assert.equal(c.allows("web -> outside udp/53"), true);
    assert.equal(c.allows("web -> db tcp/80"), false);
    const pass = { ...deny, egress: [{ ...deny.egress[0], action: "Pass" }, { action: "Allow" }] };
    assert.equal(cluster({ calicoNetworkPolicies: calico(pass), ...unknown }).allows("web -> outside udp/53"), false);
  });
});

describe("Calico's service accounts", () => {
  const spec = { serviceAccountSelector: "role == 'shop'", ingress: [] };
  const account = (labels: object) =>
    keyed(parsed(parseServiceAccount, { metadata: { namespace: "shop", name: "web-account", labels } }));

  test("select by the labels of their objects, and only then those are asked for", () => {
    const c = cluster({ calicoNetworkPolicies: calico(spec) });
    assert.deepEqual([...c.read().wants], ["serviceAccounts"]);
    assert.equal(c.allows("web <- db tcp/80"), true);
    c.change({ serviceAccounts: account({ role: "shop" }) });
    assert.equal(c.allows("web <- db tcp/80"), false);
    assert.equal(c.allows("db <- web tcp/80"), true);
    const { views } = c.read();
    c.change({ serviceAccounts: account({ role: "shop" }) });
    assert.equal(c.read().views, views, "equal labels are the same views");
    c.change({ serviceAccounts: account({}) });
    assert.equal(c.allows("web <- db tcp/80"), true);
  });

  test("by name need no object", () => {
    const byName = { ingress: [{ action: "Allow", source: { serviceAccounts: { names: ["web-account"] } } }] };
    assert.deepEqual([...cluster({ calicoNetworkPolicies: calico(byName) }).read().wants], []);
    const byLabel = { selector: "pcsa.role == 'x'" };
    assert.deepEqual([...cluster({ calicoNetworkPolicies: calico(byLabel) }).read().wants], ["serviceAccounts"]);
  });
});

describe("Cilium's toServices", () => {
  const rule = (service: object) => ({
    endpointSelector: { matchLabels: { app: "web" } },
    egress: [{ toServices: [service] }],
  });

  test("by name and by selector are the addresses of their slices", () => {
    const services = keyed(
      parsed(parseService, { metadata: { namespace: "shop", name: "api", labels: { app: "api" } } }),
      parsed(parseService, { metadata: { namespace: "shop", name: "mail", labels: { app: "mail" } } }),
    );
    const endpointSlices = keyed(slice("api-1", "api", ["10.244.1.11"]), slice("mail-1", "mail", ["203.0.113.7"]));
    const byName = rule({ k8sService: { serviceName: "api", namespace: "shop" } });
    const named = cluster({ ciliumNetworkPolicies: cilium(byName), services, endpointSlices });
    assert.deepEqual([...named.read().wants], ["endpointSlices"]);
    assert.equal(named.allows("web -> db tcp/80"), true);
    assert.equal(named.allows("web -> outside tcp/80"), false);
    const bySelector = rule({ k8sServiceSelector: { selector: { matchLabels: { app: "mail" } } } });
    const c = cluster({ ciliumNetworkPolicies: cilium(bySelector), services, endpointSlices });
    assert.deepEqual([...c.read().wants].sort(), ["endpointSlices", "services"]);
    assert.equal(c.allows("web -> outside tcp/80"), true);
    assert.equal(c.allows("web -> db tcp/80"), false);
    c.change({ services: keyed(parsed(parseService, { metadata: { namespace: "shop", name: "mail" } })) });
    assert.equal(c.allows("web -> outside tcp/80"), false);
  });

  test("denied and not to be seen, deny everybody", () => {
    const egressDeny = [{ toServices: [{ k8sService: { serviceName: "api" } }] }];
    const deny = { endpointSelector: {}, egressDeny, enableDefaultDeny: { egress: false } };
    const c = cluster({ ciliumNetworkPolicies: cilium(deny), endpointSlices: undefined });
    assert.equal(c.allows("web -> outside tcp/80"), false);
    c.change({ endpointSlices: keyed(slice("api-1", "api", ["10.244.1.11"])) });
    assert.equal(c.allows("web -> outside tcp/80"), true);
    assert.equal(c.allows("web -> db tcp/80"), false);
  });
});

describe("the entity kube-apiserver", () => {
  const kube = slice("kubernetes", "kubernetes", ["203.0.113.7", "192.168.77.12"], [{ port: 6443 }]);
  const overlays = (spec: object) =>
    cluster({ ciliumNetworkPolicies: cilium(spec), endpointSlices: keyed(kube) })
      .read()
      .overlays.map((o) => `${o.prefix.text} ${[...o.entities].join()}`);

  test("is the addresses of the service kubernetes in default, wherever policies ask for it", () => {
    const expected = ["203.0.113.7/32 kube-apiserver", "192.168.77.12/32 kube-apiserver"];
    assert.deepEqual(overlays({ endpointSelector: {}, egress: [{ toEntities: ["kube-apiserver"] }] }), expected);
    assert.deepEqual(overlays({ endpointSelector: {}, egress: [{ toEntities: ["cluster"] }] }), expected);
    const labels = { "reserved:kube-apiserver": "" };
    assert.deepEqual(
      overlays({ endpointSelector: {}, egress: [{ toEndpoints: [{ matchLabels: labels }] }] }),
      expected,
    );
    assert.deepEqual(overlays({ endpointSelector: {}, egress: [{ toEntities: ["world"] }] }), []);
  });

  test("denied and not to be seen, denies everybody", () => {
    const egressDeny = [{ toEntities: ["kube-apiserver"] }];
    const deny = { endpointSelector: {}, egressDeny, enableDefaultDeny: { egress: false } };
    const c = cluster({ ciliumNetworkPolicies: cilium(deny), endpointSlices: undefined });
    assert.equal(c.allows("web -> outside tcp/80"), false);
    c.change({ endpointSlices: keyed(kube) });
    assert.equal(c.allows("web -> outside6 tcp/80"), true);
  });
});
