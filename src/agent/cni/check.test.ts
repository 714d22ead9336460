import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { deviceOf, type FakeDevice } from "../../kernel/fake/machine.ts";
import { addr } from "../../net/addr.ts";
import { mac } from "../../net/mac.ts";
import { FakeNode } from "./fake-node.ts";
import { hostIfname } from "./host-ifname.ts";

const HOST = hostIfname("a", "eth0");

function pod(n: FakeNode): FakeDevice {
  return deviceOf(n.machine.netns("/run/netns/a") ?? assert.fail(), "eth0") ?? assert.fail();
}

function host(n: FakeNode): FakeDevice {
  return deviceOf(n.machine.node, HOST) ?? assert.fail();
}

const DAMAGES: readonly [name: string, damage: (n: FakeNode) => void, want: RegExp][] = [
  ["interface down", (n) => Object.assign(pod(n), { isUp: false }), /^interface "eth0" is down$/],
  [
    "other MAC",
    (n) => Object.assign(pod(n), { mac: mac("02:00:00:00:00:99") }),
    /has MAC "02:00:00:00:00:99", not "02:00:00:00:00:01"/,
  ],
  ["larger MTU", (n) => Object.assign(pod(n), { mtuBytes: 9000 }), /has MTU 9000, more than 1450/],
  ["address gone", (n) => void pod(n).addrs.shift(), /^interface "eth0" lacks address "10\.244\.1\.2\/32"$/],
  [
    "routes gone",
    (n) => void pod(n).routes.splice(0),
    /lacks the IPv4 default route via "169\.254\.1\.1"\n.*lacks the route to "169\.254\.1\.1"\n.*IPv6 default route via "fe80::1"/,
  ],
  ["host end down", (n) => Object.assign(host(n), { isUp: false }), new RegExp(`^host end "${HOST}" is down$`)],
  [
    "interface gone",
    (n) => n.machine.removeDevice(pod(n)),
    /there is no interface "eth0" in ".*"\nhost end ".*" is missing/,
  ],
  ["program gone", (n) => host(n).programs.clear(), new RegExp(`program "from_pod" is not attached to "${HOST}"`)],
  [
    "entry gone",
    (n) => createFakeKernel({ machine: n.machine }).deleteMapKeys("endpoints", [addr("10.244.1.2").bytes]),
    /^map "endpoints" lacks "10\.244\.1\.2"$/,
  ],
  [
    "entry changed",
    (n) =>
      createFakeKernel({ machine: n.machine }).putMapRows("endpoints", [
        { key: addr("fd00:10:244:1::2").bytes, value: new Uint8Array(32) },
      ]),
    /^map "endpoints" has another entry for "fd00:10:244:1::2"$/,
  ],
  [
    "namespace exchanged",
    (n) => {
      n.machine.removeNetns("/run/netns/a");
      n.machine.addNetns("/run/netns/a");
    },
    /network namespace ".*" is not the one that was attached/,
  ],
  ["interrupted", (n) => n.ledger.markDeleting(n.ledger.find("a", "eth0")?.id ?? 0), /^endpoint \d+ is deleting$/],
];

for (const [name, damage, want] of DAMAGES)
  test(`CHECK sees: ${name}`, () => {
    using n = new FakeNode();
    const prevResult = n.add("a").json;
    damage(n);
    const { exitCode, json } = n.call("CHECK", { prevResult }, n.env("a"));
    assert.deepEqual([exitCode, json.code], [1, 104], JSON.stringify(json));
    assert.match(json.details, want);
  });

test("CHECK compares with prevResult", () => {
  using n = new FakeNode();
  const prevResult = n.add("a").json;
  const other = structuredClone(prevResult);
  other.interfaces[1].mac = "02:00:00:00:00:55";
  other.ips.shift();
  const { json } = n.call("CHECK", { prevResult: other }, n.env("a"));
  assert.match(json.details, /prevResult has MAC "02:00:00:00:00:55" for "eth0"/);
  assert.match(json.details, /prevResult lacks address "10\.244\.1\.2"/);
  other.interfaces.pop();
  for (const ip of other.ips) ip.interface = undefined;
  assert.match(n.call("CHECK", { prevResult: other }, n.env("a")).json.details, /prevResult has no interface "eth0"/);
});

test("CHECK allows what plugins behind may do: more addresses, more routes, a smaller MTU", () => {
  using n = new FakeNode();
  const prevResult = n.add("a").json;
  pod(n).mtuBytes = 1400;
  pod(n).addrs.push({ addr: addr("192.0.2.1"), length: 24 });
  const [route] = pod(n).routes;
  pod(n).routes.push({ ...(route ?? assert.fail()), table: 100 });
  assert.equal(n.call("CHECK", { prevResult }, n.env("a")).exitCode, 0);
});

test("CHECK of what nobody knows is code 3", () => {
  using n = new FakeNode();
  n.machine.addNetns("/run/netns/a");
  assert.equal(n.call("CHECK", { prevResult: {} }, n.env("a")).json.code, 3);
});
