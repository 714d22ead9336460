import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { addrFromBytes } from "../../net/addr.ts";
import { decodeBackend, decodeServiceKey } from "../../net/gen/bpf-maps.ts";
import { areHostPortsLookedFor } from "../host-port-map.ts";
import { FakeNode, NOTHING_LEFT } from "./fake-node.ts";
import { sweep } from "./sweep.ts";

const kernelOf = (n: FakeNode) => createFakeKernel({ machine: n.machine });
const asking = (...portMappings: object[]) => ({ runtimeConfig: { portMappings } });
const WEB = asking({ hostPort: 8080, containerPort: 80, protocol: "tcp" });
const POD = { CNI_ARGS: "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web" };

/** What stands in the map, and whether programs look for it. */
function ports(n: FakeNode): readonly [string[], boolean] {
  const kernel = kernelOf(n);
  const rows = kernel.mapRows("host_ports").map(({ key, value }) => {
    const [k, v] = [decodeServiceKey(key), decodeBackend(value)];
    return `${addrFromBytes(k.addr).text} ${k.port} > ${addrFromBytes(v.addr).text} ${v.port}`;
  });
  return [rows.sort(), areHostPortsLookedFor(kernel)];
}

const CLOSED: ReturnType<typeof ports> = [[], false];

test("ADD opens a pod's ports in its families, CHECK looks at them, DEL closes them", () => {
  using n = new FakeNode();
  assert.deepEqual(ports(n), CLOSED);
  const added = n.add("a", WEB);
  assert.equal(added.exitCode, 0, JSON.stringify(added.json));
  assert.deepEqual(ports(n), [["0.0.0.0 8080 > 10.244.1.2 80", ":: 8080 > fd00:10:244:1::2 80"], true]);
  const check = () => n.call("CHECK", { ...WEB, prevResult: added.json }, n.env("a"));
  assert.equal(check().exitCode, 0);
  kernelOf(n).deleteMapKeys("host_ports", [kernelOf(n).mapRows("host_ports")[0]?.key ?? new Uint8Array()]);
  assert.match(check().json.msg, /host port \*:8080\/TCP does not lead to the pod/);
  for (let i = 0; i < 2; i++) assert.equal(n.call("DEL", WEB, n.env("a")).exitCode, 0);
  assert.deepEqual([n.leftovers(), ports(n)], [NOTHING_LEFT, CLOSED]);
});

test("the last pod with ports that goes ends the search for them, not the first", () => {
  using n = new FakeNode();
  n.add("a", WEB);
  n.add("b", asking({ hostPort: 8081, containerPort: 80 }));
  n.add("c");
  n.call("DEL", {}, n.env("a"));
  assert.deepEqual(ports(n)[1], true);
  n.call("DEL", {}, n.env("b"));
  assert.deepEqual(ports(n), CLOSED);
});

test("a port that another pod has is refused, by its name, and nothing is left of the attempt", () => {
  using n = new FakeNode();
  n.add("a", WEB, POD);
  const before = ports(n);
  const refused = n.add("b", asking({ hostPort: 8080, containerPort: 81, hostIP: "192.0.2.1" }));
  assert.equal(refused.json.code, 107);
  assert.match(
    refused.json.msg,
    /host port 192\.0\.2\.1:8080\/TCP belongs to endpoint \d+ of pod "shop\/web", which has \*:8080/,
  );
  assert.deepEqual([n.leftovers().endpoints, ports(n)], [1, before]);
  assert.equal(n.add("b", asking({ hostPort: 8080, protocol: "udp" })).exitCode, 0, "another protocol is another port");
});

test("a port that is asked for twice is refused", () => {
  using n = new FakeNode();
  const refused = n.add("a", asking({ hostPort: 80 }, { hostPort: 80, containerPort: 81, hostIP: "192.0.2.1" }));
  assert.equal(refused.json.code, 107);
  assert.match(refused.json.msg, /192\.0\.2\.1:80\/TCP is asked for twice, also as \*:80/);
  const twoWays = n.add("a", asking({ hostPort: 80, containerPort: 80 }, { hostPort: 80, containerPort: 81 }));
  assert.equal(twoWays.json.code, 107);
  assert.match(twoWays.json.msg, /\*:80\/TCP is asked for twice, also as \*:80/);
  const same = asking({ hostPort: 80, containerPort: 81 }, { hostPort: 80, containerPort: 81, protocol: "tcp" });
  assert.equal(n.add("a", same).exitCode, 0, "the same told twice is one");
});

test("a pod that died without a DEL gives its ports to the next one", () => {
  using n = new FakeNode();
  n.add("a", WEB);
  n.machine.removeNetns("/run/netns/a");
  assert.equal(n.add("b", WEB).exitCode, 0);
  assert.deepEqual([n.leftovers().endpoints, ports(n)[0].length], [1, 2]);
});

test("a second interface of a container leaves the ports with the first", () => {
  using n = new FakeNode();
  n.add("a", WEB);
  const before = ports(n);
  assert.equal(n.call("ADD", WEB, { ...n.env("a"), CNI_IFNAME: "eth1" }).exitCode, 0);
  assert.deepEqual(ports(n), before);
  n.call("DEL", WEB, { ...n.env("a"), CNI_IFNAME: "eth1" });
  assert.deepEqual(ports(n), before);
});

test("an ADD that fails behind its ports closes them again", () => {
  using n = new FakeNode();
  n.machine.failNext("openPodLink", new KernelError("open", "ENOMEM", 12));
  assert.equal(n.add("a", WEB).exitCode, 1);
  assert.deepEqual([n.leftovers(), ports(n)], [NOTHING_LEFT, CLOSED]);
});

test("a full map is named", () => {
  using n = new FakeNode(new Map([["host_ports", 1]]));
  const refused = n.add("a", WEB);
  assert.match(refused.json.msg, /map "host_ports" is full: a larger maps\.host_ports/);
  assert.deepEqual([n.leftovers(), ports(n)], [NOTHING_LEFT, CLOSED]);
});

test("a sweep takes the ports of a pod that is gone, and a ledger that was lost finds those of one that is not", () => {
  using n = new FakeNode();
  n.add("a", WEB);
  n.add("b", asking({ hostPort: 8081 }));
  n.machine.removeNetns("/run/netns/b");
  sweep(n.context());
  assert.deepEqual(ports(n)[0].length, 2);
  assert.deepEqual(
    n.ledger.endpoints().map((e) => e.hostPorts.map((p) => p.hostPort)),
    [[8080]],
  );
});
