import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Issue } from "../base/issue.ts";
import { addr, addrFromBigint } from "../net/addr.ts";
import { EMPTY_RESULT, mergeResults } from "./merge.ts";
import type { CniResult } from "./result.ts";
import { readResult } from "./result-read.ts";
import { formatResult, writeResult } from "./result-write.ts";
import { CNI_VERSIONS, type CniVersion, isAtLeast } from "./version.ts";

const NOTHING = { mtuBytes: undefined, sandbox: undefined, socketPath: undefined, pciId: undefined };
const NO_METRICS = { mtuBytes: undefined, advmss: undefined, priority: undefined, table: undefined, scope: undefined };

const WHOLE: CniResult = {
  interfaces: [
    { ...NOTHING, name: "twl0123456789ab", mac: "ee:ee:ee:ee:ee:ee" },
    { ...NOTHING, name: "eth0", mac: "02:00:00:00:00:01", mtuBytes: 1450, sandbox: "/run/netns/a" },
  ],
  ips: [
    { address: { addr: addr("10.244.1.2"), length: 32 }, gateway: addr("169.254.1.1"), interfaceIndex: 1 },
    { address: { addr: addr("fd00:10:244:1::2"), length: 128 }, gateway: addr("fe80::1"), interfaceIndex: 1 },
  ],
  routes: [
    { ...NO_METRICS, dst: { addr: addr("0.0.0.0"), length: 0 }, gw: addr("169.254.1.1"), mtuBytes: 1450, priority: 5 },
    { ...NO_METRICS, dst: { addr: addr("::"), length: 0 }, gw: addr("fe80::1"), scope: 0 },
  ],
  dns: { nameservers: ["10.96.0.10"], domain: "cluster.local", search: ["svc"], options: ["ndots:5"] },
};

const DNS = { nameservers: ["10.96.0.10"], domain: "cluster.local", search: ["svc"], options: ["ndots:5"] };
const FLAT = {
  ip4: { ip: "10.244.1.2/32", gateway: "169.254.1.1", routes: [{ dst: "0.0.0.0/0", gw: "169.254.1.1" }] },
  ip6: { ip: "fd00:10:244:1::2/128", gateway: "fe80::1", routes: [{ dst: "::/0", gw: "fe80::1" }] },
  dns: DNS,
};
const INTERFACES = [
  { name: "twl0123456789ab", mac: "ee:ee:ee:ee:ee:ee" },
  { name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/a" },
];
const IPS = [
  { interface: 1, address: "10.244.1.2/32", gateway: "169.254.1.1" },
  { interface: 1, address: "fd00:10:244:1::2/128", gateway: "fe80::1" },
];
const ROUTES = [
  { dst: "0.0.0.0/0", gw: "169.254.1.1" },
  { dst: "::/0", gw: "fe80::1" },
];
const VERSIONED = {
  interfaces: INTERFACES,
  ips: [
    { version: "4", ...IPS[0] },
    { version: "6", ...IPS[1] },
  ],
  routes: ROUTES,
  dns: DNS,
};
const WANT: Readonly<Record<CniVersion, object>> = {
  "0.1.0": FLAT,
  "0.2.0": FLAT,
  "0.3.0": VERSIONED,
  "0.3.1": VERSIONED,
  "0.4.0": VERSIONED,
  "1.0.0": { interfaces: INTERFACES, ips: IPS, routes: ROUTES, dns: DNS },
  "1.1.0": {
    interfaces: [INTERFACES[0], { ...INTERFACES[1], mtu: 1450 }],
    ips: IPS,
    routes: [
      { ...ROUTES[0], mtu: 1450, priority: 5 },
      { ...ROUTES[1], scope: 0 },
    ],
    dns: DNS,
  },
};

function read(value: unknown, version: CniVersion): CniResult {
  const issues: Issue[] = [];
  const result = readResult(value, version, issues);
  assert.deepEqual(issues, []);
  return result;
}

for (const version of CNI_VERSIONS) {
  test(`${version}: a result is written in the version's words`, () => {
    assert.deepEqual(writeResult(WHOLE, version), { cniVersion: version, ...WANT[version] });
  });

  test(`${version}: what was written is read back, and written the same again`, () => {
    const text = formatResult(WHOLE, version);
    const back = read(JSON.parse(text), version);
    assert.equal(formatResult(back, version), text);
    assert.deepEqual(
      back.ips.map((i) => i.address),
      WHOLE.ips.map((i) => i.address),
    );
  });

  test(`${version}: nothing is written as nothing`, () => {
    assert.deepEqual(writeResult(EMPTY_RESULT, version), { cniVersion: version, dns: {} });
    assert.deepEqual(read({ cniVersion: version }, version), EMPTY_RESULT);
  });
}

test("1.1.0 keeps every field", () => {
  assert.deepEqual(read(writeResult(WHOLE, "1.1.0"), "1.1.0"), WHOLE);
});

test("any result survives 1.1.0, and a detour through an older version never invents anything", () => {
  const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });
  const anyAddr = fc
    .tuple(fc.constantFrom(4 as const, 6 as const), fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }))
    .map(([family, n]) => addrFromBigint(family, n + (family === 6 ? 0xfdn << 120n : 0n)));
  const cidr = anyAddr.chain((a) =>
    fc.integer({ min: 0, max: a.family === 4 ? 32 : 128 }).map((length) => ({ addr: a, length })),
  );
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const result: fc.Arbitrary<CniResult> = record({
    interfaces: fc.array(
      record({
        name: word,
        mac: maybe(word),
        mtuBytes: maybe(fc.integer({ min: 0, max: 9000 })),
        sandbox: maybe(word),
        socketPath: maybe(word),
        pciId: maybe(word),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    ips: fc.array(record({ address: cidr, gateway: maybe(anyAddr), interfaceIndex: maybe(fc.constant(0)) }), {
      maxLength: 3,
    }),
    routes: fc.array(
      record({
        dst: cidr,
        gw: maybe(anyAddr),
        mtuBytes: maybe(fc.nat(9000)),
        advmss: maybe(fc.nat(9000)),
        priority: maybe(fc.nat(9000)),
        table: maybe(fc.nat(9000)),
        scope: maybe(fc.nat(255)),
      }),
      { maxLength: 3 },
    ),
    dns: record({
      nameservers: fc.array(word, { maxLength: 2 }),
      domain: maybe(word),
      search: fc.array(word, { maxLength: 2 }),
      options: fc.array(word, { maxLength: 2 }),
    }),
  });
  fc.assert(
    fc.property(result, fc.constantFrom(...CNI_VERSIONS), (value, version) => {
      assert.deepEqual(read(writeResult(value, "1.1.0"), "1.1.0"), value);
      const back = read(writeResult(value, version), version);
      for (const ip of back.ips)
        assert.ok(
          value.ips.some((i) => i.address.addr.text === ip.address.addr.text && i.address.length === ip.address.length),
        );
      if (isAtLeast(version, "0.3.0")) assert.equal(back.ips.length, value.ips.length);
      else assert.ok(back.ips.length <= 2);
    }),
  );
});

const BAD: readonly [value: unknown, want: string][] = [
  [[], ": Expected an object, not a list"],
  [{ ips: {} }, "ips: Expected a list, not an object"],
  [{ ips: [{ address: "10.0.0.1" }] }, "ips[0].address: "],
  [{ ips: [{}] }, "ips[0].address: A CIDR is required"],
  [{ ips: [{ address: "10.0.0.1/8", interface: 0 }] }, "ips[0].interface: 0 names none of the 0 interfaces"],
  [{ ips: [{ address: "10.0.0.1/8", gateway: "x" }] }, 'ips[0].gateway: "x" is not an IP address'],
  [{ routes: [{ dst: 1 }] }, "routes[0].dst: Expected a string"],
  [{ interfaces: [1] }, "interfaces[0]: Expected an object, not a number"],
];

for (const [value, want] of BAD)
  test(`an unsound result is reported: ${want}`, () => {
    const issues: Issue[] = [];
    readResult(value, "1.0.0", issues);
    assert.ok(
      issues.some((i) => `${i.path}: ${i.message}`.startsWith(want)),
      JSON.stringify(issues),
    );
  });

test("merging puts own things behind, and moves their indexes", () => {
  const previous: CniResult = {
    ...EMPTY_RESULT,
    interfaces: [{ ...NOTHING, name: "first", mac: undefined }],
    ips: [{ address: { addr: addr("192.0.2.1"), length: 24 }, gateway: undefined, interfaceIndex: 0 }],
    dns: { ...EMPTY_RESULT.dns, nameservers: ["192.0.2.53"] },
  };
  const merged = mergeResults(previous, WHOLE);
  assert.deepEqual(
    merged.interfaces.map((i) => i.name),
    ["first", "twl0123456789ab", "eth0"],
  );
  assert.deepEqual(
    merged.ips.map((i) => i.interfaceIndex),
    [0, 2, 2],
  );
  assert.deepEqual(merged.dns, WHOLE.dns);
  assert.deepEqual(mergeResults(previous, EMPTY_RESULT), previous);
  assert.equal(mergeResults(undefined, WHOLE), WHOLE);
});
