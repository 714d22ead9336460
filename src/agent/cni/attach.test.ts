import assert from "node:assert/strict";
import { test } from "node:test";
import { CNI_VERSIONS, isAtLeast } from "../../cni/version.ts";
import { makePool } from "../../ipam/pool.ts";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { addr } from "../../net/addr.ts";
import { decodeEndpoint } from "../../net/gen/bpf-maps.ts";
import { macFromBytes } from "../../net/mac.ts";
import { prefix } from "../../net/prefix.ts";
import { FakeNode, NOTHING_LEFT } from "./fake-node.ts";
import { hostIfname } from "./host-ifname.ts";

const node = () => new FakeNode();

test("ADD answers what it made, and it is there", () => {
  using n = node();
  const { exitCode, json } = n.add("a", {}, { CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web" });
  assert.equal(exitCode, 0);
  assert.deepEqual(json, {
    cniVersion: "1.1.0",
    interfaces: [
      { name: hostIfname("a", "eth0"), mac: "ee:ee:ee:ee:ee:ee", mtu: 1450 },
      { name: "eth0", mac: "02:00:00:00:00:01", mtu: 1450, sandbox: "/run/netns/a" },
    ],
    ips: [
      { interface: 1, address: "10.244.1.2/32", gateway: "169.254.1.1" },
      { interface: 1, address: "fd00:10:244:1::2/128", gateway: "fe80::1" },
    ],
    routes: [
      { dst: "0.0.0.0/0", gw: "169.254.1.1" },
      { dst: "::/0", gw: "fe80::1" },
    ],
    dns: {},
  });
  const kernel = createFakeKernel({ machine: n.machine });
  const host = kernel.links().find((l) => l.name === hostIfname("a", "eth0"));
  assert.equal(host?.isUp, true);
  const entry = decodeEndpoint(kernel.mapGet("endpoints", addr("10.244.1.2").bytes) ?? assert.fail("no entry"));
  assert.equal(entry.ifindex, host?.ifindex);
  assert.equal(macFromBytes(entry.mac), "02:00:00:00:00:01");
  assert.equal(
    kernel.attachments().some((a) => a.link === host?.name && a.program === "from_pod"),
    true,
  );
  const [endpoint] = n.ledger.endpoints();
  assert.deepEqual([endpoint?.state, endpoint?.podNamespace, endpoint?.podName], ["ready", "ns", "web"]);
  assert.equal(endpoint?.hostIfindex, host?.ifindex);
});

test("the host end's name fits a device and follows from the two names only", () => {
  assert.match(hostIfname("a", "eth0"), /^twl[0-9a-f]{12}$/);
  assert.notEqual(hostIfname("a", "eth0"), hostIfname("a", "eth1"));
});

for (const version of CNI_VERSIONS)
  test(`${version}: ADD, CHECK where there is one, DEL twice`, () => {
    using n = node();
    const added = n.add("a", { cniVersion: version });
    assert.equal(added.exitCode, 0, JSON.stringify(added.json));
    assert.equal(added.json.cniVersion, version);
    const first = isAtLeast(version, "0.3.0") ? added.json.ips[0].address : added.json.ip4.ip;
    assert.equal(first, "10.244.1.2/32");
    const config = { cniVersion: version, prevResult: added.json };
    if (isAtLeast(version, "0.4.0"))
      assert.deepEqual(n.call("CHECK", config, n.env("a")), { exitCode: 0, json: undefined });
    for (let i = 0; i < 2; i++) assert.deepEqual(n.call("DEL", config, n.env("a")), { exitCode: 0, json: undefined });
    assert.deepEqual(n.leftovers(), NOTHING_LEFT);
  });

test("wishes of the runtime are honoured", () => {
  using n = node();
  const { json } = n.add("a", {
    mtu: 1300,
    runtimeConfig: { mac: "02:00:00:00:00:77", ips: ["10.244.1.9/24"], bandwidth: { egressRate: 1000 } },
    dns: { nameservers: ["10.96.0.10"] },
  });
  assert.equal(json.ips[0].address, "10.244.1.9/32");
  assert.deepEqual([json.interfaces[1].mac, json.interfaces[1].mtu], ["02:00:00:00:00:77", 1300]);
  assert.deepEqual(json.dns, { nameservers: ["10.96.0.10"] });
  const kernel = createFakeKernel({ machine: n.machine });
  assert.equal(decodeEndpoint(kernel.mapGet("endpoints", addr("10.244.1.9").bytes) ?? assert.fail()).flags, 1);
});

test("behind another plugin, its result stays in front", () => {
  using n = node();
  const prevResult = {
    interfaces: [{ name: "dummy0", sandbox: "/run/netns/a" }],
    ips: [{ address: "192.0.2.7/24", interface: 0 }],
    dns: { nameservers: ["192.0.2.53"] },
  };
  const { json } = n.add("a", { prevResult });
  assert.deepEqual(
    json.interfaces.map((i: { name: string }) => i.name),
    ["dummy0", hostIfname("a", "eth0"), "eth0"],
  );
  assert.deepEqual(
    json.ips.map((i: { interface: number }) => i.interface),
    [0, 2, 2],
  );
  assert.deepEqual(json.dns, { nameservers: ["192.0.2.53"] });
});

test("one family only, when the node has only one", () => {
  using n = node();
  n.pools = n.pools.filter((p) => p.prefix.family === 6);
  assert.deepEqual(
    n.add("a").json.ips.map((i: { address: string }) => i.address),
    ["fd00:10:244:1::2/128"],
  );
});

const REFUSALS: readonly [name: string, code: number, want: RegExp, prepare: (n: FakeNode) => object][] = [
  [
    "a namespace that is missing",
    3,
    /network namespace "\/run\/netns\/a" does not exist/,
    (n) => n.call("ADD", {}, n.env("a")),
  ],
  [
    "an interface that exists",
    103,
    /"eth0" exists in "\/run\/netns\/a"; DEL would remove it/,
    (n) => {
      n.machine.addNetns("/run/netns/a");
      const netns = n.machine.netns("/run/netns/a") ?? assert.fail();
      n.machine.addDevice(netns, { name: "eth0", mac: "02:00:00:00:00:99" as never, mtuBytes: 1500 });
      return n.add("a");
    },
  ],
  [
    "an MTU that IPv6 does not allow",
    7,
    /mtu 1279 is less than 1280, and pods have IPv6 addresses here/,
    (n) => n.add("a", { mtu: 1279 }),
  ],
  [
    "no pod CIDR",
    11,
    /the node has no pod CIDR yet/,
    (n) => {
      n.pools = [];
      return n.add("a");
    },
  ],
  [
    "an address that is not here",
    102,
    /"192\.0\.2\.1".* lie in "10\.244\.1\.0\/28"/,
    (n) => n.add("a", { args: { cni: { ips: ["192.0.2.1"] } } }),
  ],
  [
    "an address that is taken",
    102,
    /"10\.244\.1\.2": endpoint \d+ of this node has it/,
    (n) => {
      n.add("b");
      return n.add("a", { args: { cni: { ips: ["10.244.1.2"] } } });
    },
  ],
  [
    "a data plane that is not ready",
    11,
    /yet: device "twill0" is missing; no route/,
    (n) => {
      n.problems = ['device "twill0" is missing', "no route"].map((reason) => ({ reason, isFeltByPods: true }));
      return n.add("a");
    },
  ],
];

for (const [name, code, want, prepare] of REFUSALS)
  test(`refused: ${name}`, () => {
    using n = node();
    const { exitCode, json } = prepare(n) as ReturnType<FakeNode["add"]>;
    assert.deepEqual([exitCode, json.code], [1, code], JSON.stringify(json));
    assert.match(json.msg, want);
    assert.equal(n.ledger.find("a", "eth0"), undefined);
  });

test("an exhausted pool names itself and its figures, and gives back what the other family had taken", () => {
  using n = node();
  for (let i = 0; i < 13; i++) assert.equal(n.add(`c${i}`).exitCode, 0);
  const { json } = n.add("one-too-many");
  assert.equal(json.code, 101);
  assert.match(json.msg, /"10\.244\.1\.0\/28" \(13 usable: 13 in use, 0 cooling down, 0 free\)/);
  assert.deepEqual(n.leftovers().leases, 26);
});

test("a full map is told as such, and everything is rolled back", () => {
  using n = new FakeNode(new Map([["endpoints", 3]]));
  assert.equal(n.add("a").exitCode, 0);
  const { json } = n.add("b");
  assert.match(json.msg, /map "endpoints" is full: a larger maps\.endpoints in the configuration would help/);
  assert.equal(n.ledger.find("b", "eth0"), undefined);
  assert.equal(n.call("DEL", {}, n.env("a")).exitCode, 0);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

const STEPS = ["createPodLink", "putAttachment", "putMapRows", "openPodLink"] as const;
for (const step of STEPS)
  test(`a failing ${step} rolls everything back, and the error says what the kernel said`, () => {
    using n = node();
    n.machine.failNext(step, new KernelError(`do ${step}`, "EIO", 5, "broken"));
    const { json } = n.add("a");
    assert.equal(json.code, 100);
    assert.match(json.msg, new RegExp(`Cannot attach "eth0" of container "a": Cannot do ${step}: EIO \\(broken\\)`));
    assert.deepEqual(n.leftovers(), NOTHING_LEFT);
    assert.equal(n.add("a").exitCode, 0);
  });

test("a roll-back that fails too keeps the addresses until a sweep has cleaned up", () => {
  using n = node();
  n.machine.failNext("openPodLink", new KernelError("open", "EIO", 5));
  n.machine.failNext("deleteLink", new KernelError("delete", "EBUSY", 16));
  const { json } = n.add("a");
  assert.match(json.details, /Rolling back failed, a sweep will do it: .*EBUSY/s);
  assert.equal(n.ledger.find("a", "eth0")?.state, "deleting");
  assert.equal(n.leftovers().leases, 2);
  assert.equal(n.call("DEL", {}, n.env("a")).exitCode, 0);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("ADD twice is refused while the first lives, and the first goes on", () => {
  using n = node();
  n.add("a");
  const before = n.ledger.endpoints();
  const { json } = n.add("a");
  assert.equal(json.code, 103);
  assert.match(json.msg, /it is attached as endpoint \d+ in "\/run\/netns\/a"; DEL would remove it/);
  assert.deepEqual(n.ledger.endpoints(), before);
});

test("a container that comes back with a new namespace takes over from its dead generation", () => {
  using n = node();
  n.add("a");
  n.machine.removeNetns("/run/netns/a");
  const { exitCode, json } = n.add("a", {}, { CNI_NETNS: "/run/netns/a" });
  assert.equal(exitCode, 0, JSON.stringify(json));
  assert.equal(json.ips[0].address, "10.244.1.3/32");
  assert.deepEqual(n.leftovers(), { links: [hostIfname("a", "eth0")], entries: 2, leases: 2, endpoints: 1 });
});

test("a host end that no ledger remembers does not stand in the way", () => {
  using n = node();
  n.add("a");
  n.closeLedger();
  n.machine.removeNetns("/run/netns/nothing");
  // The ledger is moved away while the old pod's namespace lives on under another path.
  n.machine.addNetns("/run/netns/old", "/run/netns/a");
  n.machine.addNetns("/run/netns/a");
  n.bootId = "boot-2";
  assert.equal(n.add("a").exitCode, 0);
});

test("a pool of a family that ran out is not hidden by one that did not", () => {
  using n = node();
  n.pools = [makePool("tiny", prefix("10.9.0.0/30")), makePool("more", prefix("10.9.1.0/30")), ...n.pools.slice(1)];
  assert.equal(n.add("a").json.ips[0].address, "10.9.0.2/32");
  assert.equal(n.add("b").json.ips[0].address, "10.9.1.2/32");
  assert.match(n.add("c").json.msg, /"tiny" \(1 usable: 1 in use.*"more" \(1 usable: 1 in use/);
});
