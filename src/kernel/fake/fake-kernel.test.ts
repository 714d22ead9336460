import assert from "node:assert/strict";
import { it } from "node:test";
import { addr } from "../../net/addr.ts";
import { encodeEvent, Hook, Metric } from "../../net/gen/bpf-maps.ts";
import { mac } from "../../net/mac.ts";
import { prefix } from "../../net/prefix.ts";
import { KernelError } from "../kernel.ts";
import { kernelBehaviour } from "../suite/behaviour.ts";
import type { KernelBench } from "../suite/bench.ts";
import { podSpec } from "../suite/pods.ts";
import { createFakeKernel } from "./fake-kernel.ts";
import { FakeMachine } from "./machine.ts";
import { printNode, printPod } from "./print.ts";

const PINS = "/sys/fs/bpf/twill";

/** As the programs do of packets that come before the node is configured. */
function tellOfDrops(machine: FakeMachine, packets: number): void {
  const maps = machine.pins.get(PINS)?.maps;
  const nobody = { src: new Uint8Array(16), dst: new Uint8Array(16), srcPort: 0, dstPort: 0, protocol: 0, family: 0 };
  const noPolicy = { direction: 0, isAllowed: 0, rule: 0, srcIdentity: 0, dstIdentity: 0, bank: 0 };
  const frame = { ifindex: 1, hook: Hook.fromPod, tcpFlags: 0, bytes: 60, etherType: 0x0800 };
  const event = { ...nobody, ...noPolicy, ...frame, timeNs: 1n, reason: Metric.dropNotConfigured };
  const key = new Uint8Array(Uint32Array.of(Metric.eventLost).buffer);
  for (let i = 0; i < packets; i++) {
    if (maps?.get("events")?.ring?.write(encodeEvent(event)) === true) continue;
    const value = maps?.get("metrics")?.get(key) ?? new Uint8Array(16);
    const view = new DataView(value.buffer);
    view.setBigUint64(0, view.getBigUint64(0, true) + 1n, true);
    maps?.get("metrics")?.put({ key, value });
  }
}

function openFake(): KernelBench {
  const machine = new FakeMachine();
  let count = 0;
  const add = (sameAs?: string) => {
    const path = `/run/netns/pod${count++}`;
    machine.addNetns(path, sameAs);
    return path;
  };
  return {
    kernel: createFakeKernel({ machine }),
    pinDirectory: PINS,
    objects: [Uint8Array.of(1), Uint8Array.of(2)],
    realObject: Uint8Array.of(3),
    runFromPod: (packets) => tellOfDrops(machine, packets),
    reopen: () => createFakeKernel({ machine }),
    addNetns: () => add(),
    aliasNetns: add,
    removeNetns: (path) => machine.removeNetns(path),
    addGroup(path = `/sys/fs/cgroup/g${count++}`) {
      machine.addGroup(path);
      return path;
    },
    removeGroup: (path) => void machine.groups.delete(path),
    [Symbol.dispose]: () => undefined,
  };
}

kernelBehaviour("fake", openFake);

it("prints itself in the words of iproute2", () => {
  const machine = new FakeMachine();
  const kernel = createFakeKernel({ machine });
  machine.addNetns("/run/netns/a");
  const row = { kind: "veth", name: "twill0", peer: "twill1", mtuBytes: 1450 } as const;
  kernel.putLink({ ...row, mac: mac("ee:ee:ee:ee:ee:ee"), peerMac: mac("ee:ee:ee:ee:ee:e1") });
  kernel.putAddr({ link: "twill0", address: { addr: addr("10.244.1.1"), length: 32 } });
  kernel.putRoute({ link: "twill0", dst: prefix("10.244.0.0/16"), src: addr("10.244.1.1"), mtuBytes: 1450 });
  kernel.setSysctl("net/ipv4/ip_forward", "1");
  kernel.loadPrograms(Uint8Array.of(1), { pinDirectory: PINS, maxEntries: new Map([["nodes", 4]]) });
  kernel.putAttachment({ link: "twill1", direction: "ingress", program: "from_host" });
  kernel.putMapRows("nodes", [{ key: new Uint8Array(16).fill(1), value: new Uint8Array(8).fill(2) }]);
  kernel.createPodLink(podSpec("/run/netns/a"));
  assert.equal(
    printNode(machine),
    `1: lo: <> mtu 65536 link/ether 00:00:00:00:00:00
2: twill1@twill0: <NOARP,UP> mtu 1450 link/ether ee:ee:ee:ee:ee:e1 veth
    tcx/ingress from_host
3: twill0@twill1: <NOARP,UP> mtu 1450 link/ether ee:ee:ee:ee:ee:ee veth
    inet 10.244.1.1/32
4: twl0123456789ab@if2: <> mtu 1450 link/ether ee:ee:ee:ee:ee:ee veth
10.244.0.0/16 dev twill0 proto 87 src 10.244.1.1 mtu 1450
net.ipv4.ip_forward = 1
map nodes hash 1/4
  01010101010101010101010101010101: 0202020202020202
`,
  );
  assert.equal(
    printPod(machine, "/run/netns/a"),
    `1: lo: <> mtu 65536 link/ether 00:00:00:00:00:00
2: eth0@if4: <UP> mtu 1450 link/ether 0a:58:0a:f4:01:02 veth
    inet 10.244.1.2/32
    inet6 fd00:10:244:1::2/128
169.254.1.1/32 dev eth0 proto 87
default via 169.254.1.1 dev eth0 proto 87
default6 via fe80::1 dev eth0 proto 87
fe80::1/128 dev eth0 proto 87
169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT
fe80::1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT
`,
  );
});

it("fails as ordered, once for each order", () => {
  const machine = new FakeMachine();
  const kernel = createFakeKernel({ machine });
  machine.failNext("links", new KernelError("list links", "EINTR", 4));
  machine.failNext("links", new KernelError("list links", "ENOBUFS", 105));
  assert.throws(() => kernel.links(), { code: "EINTR" });
  assert.throws(() => kernel.links(), { code: "ENOBUFS" });
  assert.equal(kernel.links().length, 1);
});
