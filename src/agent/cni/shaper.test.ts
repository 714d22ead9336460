import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { addr } from "../../net/addr.ts";
import { decodeEndpoint, decodeShaper, encodeShaperKey } from "../../net/gen/bpf-maps.ts";
import { shaperNames } from "../../plan/names.ts";
import { FakeNode, NOTHING_LEFT } from "./fake-node.ts";
import { hostIfname } from "./host-ifname.ts";
import { sweep } from "./sweep.ts";

const BANDWIDTH = { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 16e6, egressBurst: 8e5 };
const LIMITED = { runtimeConfig: { bandwidth: BANDWIDTH } };
const HOST = hostIfname("a", "eth0");
const { link: NEAR, peer: FAR } = shaperNames(HOST);

const kernelOf = (n: FakeNode) => createFakeKernel({ machine: n.machine });
const index = (n: FakeNode, name: string) =>
  kernelOf(n)
    .links()
    .find((l) => l.name === name)?.ifindex;

function shapersLeft(n: FakeNode): unknown {
  const kernel = kernelOf(n);
  return [kernel.links().some((l) => l.name === NEAR), kernel.qdiscs().length, kernel.mapCount("shapers")];
}

test("a limited pod has a pair before it: programs see the pair's far end, whose queues limit both directions", () => {
  using n = new FakeNode();
  const added = n.add("a", LIMITED);
  assert.equal(added.exitCode, 0, JSON.stringify(added.json));
  const kernel = kernelOf(n);
  const [host = 0, near = 0, far = 0] = [index(n, HOST), index(n, NEAR), index(n, FAR)];
  const entry = decodeEndpoint(kernel.mapGet("endpoints", addr("10.244.1.2").bytes) ?? assert.fail("no entry"));
  assert.equal(entry.ifindex, far);
  assert.deepEqual(
    kernel
      .qdiscs()
      .map((q) => [q.link, q.rateBytes])
      .sort(),
    [
      [NEAR, 2e6],
      [FAR, 1e6],
    ].sort(),
  );
  const programs = kernel.attachments().map((a) => `${a.link} ${a.program}`);
  assert.deepEqual(programs.sort(), [`${FAR} from_pod`, `${HOST} shape`, `${NEAR} shape`].sort());
  const joined = [host, near].map((ifindex) => decodeShaper(kernel.mapGet("shapers", encodeShaperKey({ ifindex }))!));
  assert.deepEqual(joined, [
    { ifindex: near, isPod: 0 },
    { ifindex: host, isPod: 1 },
  ]);
  const prevResult = added.json;
  assert.equal(n.call("CHECK", { ...LIMITED, prevResult }, n.env("a")).exitCode, 0);
  for (let i = 0; i < 2; i++) assert.equal(n.call("DEL", LIMITED, n.env("a")).exitCode, 0);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
  assert.deepEqual(shapersLeft(n), [false, 0, 0]);
});

test("one direction alone has one limit", () => {
  using n = new FakeNode();
  n.add("a", { runtimeConfig: { bandwidth: { egressRate: 8e6 } } });
  assert.deepEqual(
    kernelOf(n)
      .qdiscs()
      .map((q) => q.link),
    [NEAR],
  );
});

for (const [what, harm, says] of [
  ["a limit that is gone", (n: FakeNode) => kernelOf(n).deleteQdisc({ link: FAR }), /does not limit to 1000000 bytes/],
  [
    "another limit",
    (n: FakeNode) => kernelOf(n).putQdisc({ ...kernelOf(n).qdiscs()[0]!, rateBytes: 9 }),
    /does not limit/,
  ],
  [
    "a program that is gone",
    (n: FakeNode) => kernelOf(n).deleteAttachment({ link: NEAR, direction: "ingress" }),
    /"shape" is not attached/,
  ],
  ["a pair that is gone", (n: FakeNode) => kernelOf(n).deleteLink(NEAR), /is not the one that was made/],
  [
    "a way around",
    (n: FakeNode) => kernelOf(n).deleteMapKeys("shapers", [encodeShaperKey({ ifindex: index(n, NEAR)! })]),
    /does not lead through/,
  ],
] as const)
  test(`CHECK finds ${what}`, () => {
    using n = new FakeNode();
    const { json } = n.add("a", LIMITED);
    harm(n);
    const { exitCode, json: error } = n.call("CHECK", { ...LIMITED, prevResult: json }, n.env("a"));
    assert.equal(exitCode, 1);
    assert.match(error.details, says);
  });

for (const method of ["putLink", "putQdisc", "putMapRows", "putAttachment"])
  test(`an ADD that fails at ${method} leaves nothing of the pair`, () => {
    using n = new FakeNode();
    n.machine.addNetns("/run/netns/a");
    n.machine.failNext(method, new KernelError(method, "ENOENT", 2, "Specified qdisc kind is unknown"));
    assert.equal(n.add("a", LIMITED).exitCode, 1);
    assert.deepEqual(n.leftovers(), NOTHING_LEFT);
    assert.deepEqual(shapersLeft(n), [false, 0, 0]);
  });

test("a pair whose pod is nobody's is swept, and one that is somebody's is not", () => {
  using n = new FakeNode();
  n.add("a", LIMITED);
  n.add("b");
  const { peer, link } = shaperNames(hostIfname("b", "eth0"));
  const at = { mac: "ee:ee:ee:ee:ee:ee" as never, mtuBytes: 1450 };
  n.machine.addVeth([n.machine.node, { name: link, ...at }], [n.machine.node, { name: peer, ...at }]);
  assert.deepEqual(sweep(n.context()).strayLinks, [link]);
  assert.ok(index(n, NEAR) !== undefined);
});
