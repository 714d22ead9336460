import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createInterner } from "../../model/intern.ts";
import {
  type LoadBalancerPool,
  parseCalicoLoadBalancerPool,
  parseCiliumLoadBalancerPool,
  parseLoadBalancerPool,
} from "../../model/load-balancer-pool.ts";
import { rangeHas } from "../../net/range.ts";
import { service } from "../testing.ts";
import { assignAddresses } from "./assign.ts";

const interner = createInterner();

function twill(name: string, addresses: readonly string[], spec: object = {}): LoadBalancerPool {
  const read = parseLoadBalancerPool({ metadata: { name }, spec: { addresses, ...spec } }, interner);
  assert.ok(read.ok, JSON.stringify(read));
  return read.value;
}

interface Wanted {
  readonly has?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly created?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function lb(name: string, { has = [], annotations = {}, spec = {}, created = "", labels = {} }: Wanted = {}) {
  return service(
    name,
    { type: "LoadBalancer", ipFamilies: ["IPv4"], ...spec },
    { annotations, labels, creationTimestamp: created },
    { loadBalancer: { ingress: has.map((ip) => ({ ip })) } },
  );
}

/** `name: addresses reason`, for each service. */
function assigned(services: readonly ReturnType<typeof lb>[], pools: readonly LoadBalancerPool[]): string[] {
  return assignAddresses(services, pools).map(
    ({ service: s, addrs, shortage }) =>
      `${s.name}: ${[...addrs.map((a) => a.text), ...(shortage === undefined ? [] : [shortage.reason])].join(" ")}`,
  );
}

const POOL = [twill("p", ["192.0.2.10-192.0.2.12", "2001:db8::10-2001:db8::12"])];
const DUAL = { spec: { ipFamilies: ["IPv4", "IPv6"], clusterIPs: ["10.96.0.1", "fd00::1"] } };
const ips = (text: string) => ({ annotations: { "twill.dev/load-balancer-ips": text } });
const shares = (key: string, port: number, more: object = {}) => ({
  annotations: { "twill.dev/load-balancer-sharing-key": key },
  spec: { ports: [{ port }], ...more },
});

const CASES: readonly (readonly [
  string,
  readonly ReturnType<typeof lb>[],
  readonly LoadBalancerPool[],
  readonly string[],
])[] = [
  [
    "the lowest that is free, older services first",
    [lb("b", { created: "2026-01-02" }), lb("a", { created: "2026-01-03" })],
    POOL,
    ["b: 192.0.2.10", "a: 192.0.2.11"],
  ],
  ["what a service has stays", [lb("a"), lb("b", { has: ["192.0.2.10"] })], POOL, ["a: 192.0.2.11", "b: 192.0.2.10"]],
  ["both families", [lb("a", DUAL)], POOL, ["a: 192.0.2.10 2001:db8::10"]],
  ["the missing family is added", [lb("a", { ...DUAL, has: ["192.0.2.12"] })], POOL, ["a: 192.0.2.12 2001:db8::10"]],
  [
    "two that have the same: the older keeps it",
    [lb("a", { has: ["192.0.2.10"], created: "2" }), lb("b", { has: ["192.0.2.10"], created: "1" })],
    POOL,
    ["b: 192.0.2.10", "a: 192.0.2.11"],
  ],
  [
    "the pool is used up",
    [lb("a"), lb("b"), lb("c"), lb("d")],
    POOL,
    ["a: 192.0.2.10", "b: 192.0.2.11", "c: 192.0.2.12", "d: Exhausted"],
  ],
  ["no pool of the family", [lb("a", DUAL)], [twill("p", ["192.0.2.10"])], ["a: 192.0.2.10 NoPool"]],
  ["no pool at all: what it had goes", [lb("a", { has: ["192.0.2.10"] })], [], ["a: NoPool"]],
  ["an address asked for", [lb("a", ips("192.0.2.12"))], POOL, ["a: 192.0.2.12"]],
  ["spec.loadBalancerIP", [lb("a", { spec: { loadBalancerIP: "192.0.2.11" } })], POOL, ["a: 192.0.2.11"]],
  [
    "both families asked for",
    [lb("a", { ...DUAL, ...ips("2001:db8::12, 192.0.2.12") })],
    POOL,
    ["a: 192.0.2.12 2001:db8::12"],
  ],
  ["asked for in one family: no other", [lb("a", { ...DUAL, ...ips("192.0.2.12") })], POOL, ["a: 192.0.2.12"]],
  [
    "one of a family that it does not have is asked for",
    [lb("a", { spec: { loadBalancerIP: "2001:db8::10" } })],
    POOL,
    ["a: Invalid"],
  ],
  ["two of a family are asked for", [lb("a", ips("192.0.2.12,192.0.2.11"))], POOL, ["a: 192.0.2.12 Invalid"]],
  [
    "another than it has is asked for",
    [lb("a", { has: ["192.0.2.10"], ...ips("192.0.2.12") })],
    POOL,
    ["a: 192.0.2.12"],
  ],
  ["asked for and not in a pool", [lb("a", ips("198.51.100.1"))], POOL, ["a: NotInPool"]],
  [
    "asked for and taken",
    [lb("a", { has: ["192.0.2.10"] }), lb("b", ips("192.0.2.10"))],
    POOL,
    ["a: 192.0.2.10", "b: Taken"],
  ],
  ["asked for, and no address", [lb("a", ips("nonsense"))], POOL, ["a: Invalid"]],
  [
    "MetalLB's annotation",
    [lb("a", { annotations: { "metallb.universe.tf/loadBalancerIPs": "192.0.2.12" } })],
    POOL,
    ["a: 192.0.2.12"],
  ],
  [
    "Cilium's annotation",
    [lb("a", { annotations: { "lbipam.cilium.io/ips": "192.0.2.12" } })],
    POOL,
    ["a: 192.0.2.12"],
  ],
  [
    "Calico's annotation",
    [lb("a", { annotations: { "projectcalico.org/loadBalancerIPs": '["192.0.2.12"]' } })],
    POOL,
    ["a: 192.0.2.12"],
  ],
  [
    "one address, other ports",
    [lb("a", shares("k", 80)), lb("b", shares("k", 443))],
    POOL,
    ["a: 192.0.2.10", "b: 192.0.2.10"],
  ],
  [
    "one key, the same port",
    [lb("a", shares("k", 80)), lb("b", shares("k", 80))],
    POOL,
    ["a: 192.0.2.10", "b: 192.0.2.11"],
  ],
  ["other keys", [lb("a", shares("k", 80)), lb("b", shares("l", 443))], POOL, ["a: 192.0.2.10", "b: 192.0.2.11"]],
  [
    "policy Local shares with nobody",
    [lb("a", shares("k", 80)), lb("b", shares("k", 443, { externalTrafficPolicy: "Local" }))],
    POOL,
    ["a: 192.0.2.10", "b: 192.0.2.11"],
  ],
  ["another's class", [lb("a", { spec: { loadBalancerClass: "example.com/x" } })], POOL, []],
  ["Twill's class", [lb("a", { spec: { loadBalancerClass: "twill.dev/load-balancer" } })], POOL, ["a: 192.0.2.10"]],
  ["another type", [lb("a", { spec: { type: "NodePort" } })], POOL, []],
  [
    "a disabled pool keeps what it gave, and gives nothing",
    [lb("a"), lb("b", { has: ["192.0.2.11"] })],
    [twill("p", ["192.0.2.8/29"], { disabled: true })],
    ["a: NoPool", "b: 192.0.2.11"],
  ],
  [
    "a pool for who asks for it",
    [lb("a"), lb("b", { annotations: { "twill.dev/load-balancer-pool": "p" } })],
    [twill("p", ["192.0.2.8/29"], { automatic: false })],
    ["a: NoPool", "b: 192.0.2.8"],
  ],
  [
    "… or for one of its addresses",
    [lb("a", ips("192.0.2.9"))],
    [twill("p", ["192.0.2.8/29"], { automatic: false })],
    ["a: 192.0.2.9"],
  ],
  [
    "a pool for some services",
    [lb("a"), lb("b", { labels: { tier: "gold" } })],
    [twill("p", ["192.0.2.8/29"], { serviceSelector: { matchLabels: { tier: "gold" } } })],
    ["a: NoPool", "b: 192.0.2.8"],
  ],
  [
    "… of a namespace",
    [lb("a")],
    [
      twill("p", ["192.0.2.8/29"], {
        serviceSelector: {
          matchExpressions: [{ key: "io.kubernetes.service.namespace", operator: "In", values: ["shop"] }],
        },
      }),
    ],
    ["a: 192.0.2.8"],
  ],
];

for (const [name, services, pools, expected] of CASES)
  test(name, () => assert.deepEqual(assigned(services, pools).sort(), [...expected].sort()));

test("Cilium's and Calico's pools", () => {
  const read = (r: ReturnType<typeof parseCiliumLoadBalancerPool>) => (r.ok ? r.value : assert.fail(JSON.stringify(r)));
  const blocks = [{ cidr: "192.0.2.0/30" }, { start: "192.0.2.9", stop: "192.0.2.10" }];
  const cilium = (spec: object) =>
    read(parseCiliumLoadBalancerPool({ metadata: { name: "c" }, spec: { blocks, ...spec } }, interner));
  assert.deepEqual(assigned([lb("a")], [cilium({})]), ["a: 192.0.2.0"]);
  assert.deepEqual(assigned([lb("a")], [cilium({ allowFirstLastIPs: "No" })]), ["a: 192.0.2.1"]);
  const calico = (spec: object) =>
    read(parseCalicoLoadBalancerPool({ metadata: { name: "k" }, spec: { cidr: "192.0.2.16/28", ...spec } }));
  assert.deepEqual(assigned([lb("a")], [calico({ allowedUses: ["Workload"] })]), ["a: NoPool"]);
  assert.deepEqual(assigned([lb("a")], [calico({ allowedUses: ["LoadBalancer"] })]), ["a: 192.0.2.16"]);
  const manual = calico({ allowedUses: ["LoadBalancer"], assignmentMode: "Manual" });
  assert.deepEqual(assigned([lb("a")], [manual]), ["a: NoPool"]);
  const asks = { annotations: { "projectcalico.org/ipv4pools": '["192.0.2.16/28"]' } };
  assert.deepEqual(assigned([lb("a", asks)], [manual]), ["a: 192.0.2.16"]);
});

for (const [what, spec, issue] of [
  ["no addresses", {}, /spec\.addresses: A value is required/],
  ["a wrong address", { addresses: ["x"] }, /spec\.addresses\[0\]/],
  ["ends in the wrong order", { addresses: ["192.0.2.9-192.0.2.1"] }, /comes before/],
  ["host bits", { addresses: ["192.0.2.1/24"] }, /spec\.addresses\[0\]/],
] as const)
  test(`a pool with ${what} is refused`, () => {
    const read = parseLoadBalancerPool({ metadata: { name: "p" }, spec }, interner);
    assert.ok(!read.ok);
    assert.match(read.error.map((i) => `${i.path}: ${i.message}`).join(), issue);
  });

test("whatever services ask for: nobody gets what another has, nor what is in no pool; a second look changes nothing", () => {
  const address = fc.integer({ min: 8, max: 20 }).map((n) => `192.0.2.${n}`);
  const wanted = fc.record({
    has: fc.array(address, { maxLength: 2 }),
    asks: fc.option(address, { nil: undefined }),
    key: fc.option(fc.constantFrom("k", "l"), { nil: undefined }),
    port: fc.integer({ min: 1, max: 3 }),
    created: fc.integer({ min: 0, max: 3 }).map(String),
  });
  const pools = [twill("p", ["192.0.2.10-192.0.2.14"]), twill("q", ["192.0.2.16/31"], { automatic: false })];
  const make = (
    list: readonly {
      has: readonly string[];
      asks: string | undefined;
      key: string | undefined;
      port: number;
      created: string;
    }[],
  ) =>
    list.map((w, i) => {
      const annotations = {
        ...(w.asks === undefined ? {} : { "twill.dev/load-balancer-ips": w.asks }),
        ...(w.key === undefined ? {} : { "twill.dev/load-balancer-sharing-key": w.key }),
      };
      return lb(`s${i}`, { has: w.has, annotations, created: w.created, spec: { ports: [{ port: w.port }] } });
    });
  fc.assert(
    fc.property(fc.array(wanted, { maxLength: 12 }), (list) => {
      const got = assignAddresses(make(list), pools);
      const at = new Map<string, Set<string>>();
      for (const { service: s, addrs } of got)
        for (const a of addrs) {
          assert.ok(pools.some((p) => p.ranges.some((r) => rangeHas(r, a))));
          const key = s.annotations.get("twill.dev/load-balancer-sharing-key") ?? s.name;
          const seen = at.get(a.text) ?? new Set();
          assert.ok(!seen.has(`${s.ports[0]?.port}`), "one port, two services");
          assert.ok([...seen].every((x) => !x.startsWith("key ")) || seen.has(`key ${key}`), "no common key");
          at.set(a.text, seen.add(`${s.ports[0]?.port}`).add(`key ${key}`));
        }
      const after = list.map((w, i) => ({
        ...w,
        has: got.find((g) => g.service.name === `s${i}`)?.addrs.map((a) => a.text) ?? [],
      }));
      const again = assignAddresses(make(after), pools);
      assert.deepEqual(
        again.map((g) => `${g.service.name} ${g.addrs.map((a) => a.text)}`),
        got.map((g) => `${g.service.name} ${g.addrs.map((a) => a.text)}`),
      );
    }),
  );
});

const THOUSANDS: readonly (readonly [string, (i: number) => ReturnType<typeof lb>, string, number])[] = [
  ["new ones", (i) => lb(`s${i}`), "10.0.0.0/16", 5_000],
  ["more than there are addresses", (i) => lb(`s${i}`), "10.0.0.0/22", 1_024],
  ["that share one address", (i) => lb(`s${i}`, shares("k", i + 1)), "10.0.0.0/24", 1],
  [
    "that have one address together",
    (i) => lb(`s${i}`, { ...shares("k", i + 1), has: ["10.0.0.9"] }),
    "10.0.0.0/24",
    1,
  ],
];
for (const [what, make, pool, count] of THOUSANDS)
  test(`thousands do not hold an agent up: ${what}`, () => {
    const all = Array.from({ length: 5_000 }, (_, i) => make(i));
    const start = process.cpuUsage();
    const given = assignAddresses(all, [twill("p", [pool])]).flatMap((a) => a.addrs.map((x) => x.text));
    const { user, system } = process.cpuUsage(start);
    assert.equal(new Set(given).size, count);
    assert.ok(user + system < 1_000_000, `${(user + system) / 1000} ms of CPU`);
  });
