import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { createInterner } from "../model/intern.ts";
import { parseHostEndpoint } from "../model/policy/calico-objects.ts";
import { parseGlobalNetworkPolicy } from "../model/policy/calico-policy.ts";
import { parseCiliumClusterwideNetworkPolicy } from "../model/policy/cilium-policy.ts";
import { addr } from "../net/addr.ts";
import { translateCalicoPolicy } from "./dialects/calico.ts";
import { translateHostEndpoint } from "./dialects/calico-host.ts";
import { translateCiliumPolicy } from "./dialects/cilium.ts";
import { DEFAULT_FAILSAFES, failsafePolicy } from "./failsafe.ts";
import { createNodePolicies, type HostDevice, hostParts, judgedParts } from "./host-parts.ts";
import { orderPolicies } from "./order.ts";
import type { Policy } from "./rule.ts";
import { WORLD } from "./testing/dialect-world.ts";

const interner = createInterner();
const [N1] = WORLD.nodes;
const ETH0: HostDevice = { name: "eth0", ifindex: 2, addrs: [addr("192.168.77.11"), addr("fd00:77::11")] };
const ETH1: HostDevice = { name: "eth1", ifindex: 3, addrs: [addr("10.9.0.1")] };

const endpoint = (name: string, spec: object, labels: object = {}) =>
  unwrap(parseHostEndpoint({ metadata: { name, labels }, spec: { node: "n1", ...spec } }, interner));

const STAR = endpoint("star", { interfaceName: "*" }, { at: "star" });
const NAMED = endpoint("named", { interfaceName: "eth0", ports: [{ name: "web", protocol: "TCP", port: 80 }] });
const BY_ADDRESS = endpoint("by-address", { expectedIPs: ["10.9.0.1"] }, { at: "storage" });

/** Each part as `ifindex: host endpoint`. */
const found = (...endpoints: Parameters<typeof hostParts>[1] extends Iterable<infer E> ? E[] : never) => {
  const { parts, astray } = hostParts(N1, endpoints, [ETH0, ETH1], {});
  const name = (labels: ReadonlyMap<string, string> | undefined) => labels?.get("host endpoint") ?? "nobody";
  return {
    parts: parts.map((p) => `${p.ifindex}: ${name(p.facts.labels.get("calico")?.[0])}`),
    astray: astray.map((a) => a.name),
  };
};

test("a device's own host endpoint stands in place of the one for all", () => {
  assert.deepEqual(found(STAR), { parts: ["0: star"], astray: [] });
  assert.deepEqual(found(STAR, NAMED), { parts: ["0: star", "2: named"], astray: [] });
  assert.deepEqual(found(NAMED), { parts: ["0: nobody", "2: named"], astray: [] });
});

test("without a name the expected addresses tell the device", () => {
  assert.deepEqual(found(BY_ADDRESS), { parts: ["0: nobody", "3: by-address"], astray: [] });
  assert.deepEqual(found(endpoint("x", { expectedIPs: ["10.9.0.1"], interfaceName: "eth0" })).parts, [
    "0: nobody",
    "2: x",
  ]);
});

test("of several for one device a name goes before addresses, then the first by name; the others are astray", () => {
  const byAddress = endpoint("a", { expectedIPs: ["192.168.77.11"] });
  assert.deepEqual(found(byAddress, NAMED), { parts: ["0: nobody", "2: named"], astray: ["a"] });
  assert.deepEqual(found(STAR, endpoint("all", { interfaceName: "*" })), { parts: ["0: all"], astray: ["star"] });
});

test("one that is of no device to the wire is astray, and says why", () => {
  const { parts, astray } = hostParts(N1, [endpoint("x", { interfaceName: "eth7" })], [ETH0, ETH1], {});
  assert.equal(parts.length, 1);
  assert.match(
    astray[0]?.reason ?? "",
    /^"eth7" is none of this node's devices to the wire, which are "eth0", "eth1":/,
  );
  const [other] = hostParts(N1, [endpoint("x", { expectedIPs: ["192.0.2.1"] })], [ETH0], {}).astray;
  assert.match(other?.reason ?? "", /^no device to the wire has any of its expectedIPs/);
});

test("those of other nodes are not this one's", () =>
  assert.deepEqual(found(endpoint("x", { node: "n2", interfaceName: "*" })), { parts: ["0: nobody"], astray: [] }));

test("a host endpoint's ports have their names", () => {
  const [, part] = hostParts(N1, [NAMED], [ETH0], {}).parts;
  assert.deepEqual(part?.facts.namedPorts, [{ name: "web", protocol: 6, port: 80 }]);
});

const context = { networkSets: [], namespaceLabels: () => new Map(), backends: () => [] };
const cilium = (nodeSelector: object) =>
  translateCiliumPolicy(
    unwrap(
      parseCiliumClusterwideNetworkPolicy({ metadata: { name: "c" }, spec: { nodeSelector, ingress: [{}] } }, interner),
    ),
    { cidrGroups: [], services: () => [], backends: () => [] },
  );
const calico = (selector: string) =>
  translateCalicoPolicy(
    unwrap(parseGlobalNetworkPolicy({ metadata: { name: "p" }, spec: { selector, ingress: [] } }, interner)),
    context,
  );

const judged = (endpoints: readonly ReturnType<typeof endpoint>[], policies: readonly Policy[]) =>
  judgedParts(
    orderPolicies([failsafePolicy(DEFAULT_FAILSAFES), ...endpoints.flatMap(translateHostEndpoint), ...policies]),
    hostParts(N1, endpoints, [ETH0, ETH1], {}).parts,
  ).map((p) => p.key);

test("policies of nodes are followed from one look to the next", () => {
  const find = createNodePolicies();
  const [one, two] = [cilium({ matchLabels: { zone: "one" } }), cilium({})];
  const look = (...policies: readonly Policy[]) => [
    ...find(orderPolicies([failsafePolicy(DEFAULT_FAILSAFES), ...policies])),
  ];
  assert.deepEqual(look(...one), one);
  assert.deepEqual(look(...one, ...two).length, one.length + two.length);
  assert.deepEqual(look(...two), two);
  assert.deepEqual(look(), []);
});

test("a node is judged where a host endpoint or a policy of nodes speaks of it, and nowhere else", () => {
  assert.deepEqual(judged([], []), []);
  assert.deepEqual(judged([], calico("all()")), [], "a global policy is of host endpoints, and there is none");
  assert.deepEqual(judged([STAR], []), ["host 0"]);
  assert.deepEqual(judged([NAMED], calico("all()")), ["host 2"]);
  assert.deepEqual(judged([], cilium({ matchLabels: { zone: "one" } })), ["host 0"]);
  assert.deepEqual(judged([NAMED], cilium({})), ["host 0", "host 2"]);
  assert.deepEqual(judged([], cilium({ matchLabels: { zone: "two" } })), []);
});
