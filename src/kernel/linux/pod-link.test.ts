/** What only the real kernel can show of pods' links. */

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { addr } from "../../net/addr.ts";
import { NETLINK_ROUTE } from "../../net/netlink/constants.ts";
import { readNeighbour, writeGetNeighbours } from "../../net/netlink/neighbour.ts";
import { podSpec } from "../suite/pods.ts";
import { loadAddon } from "./addon.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { openLinux, whyNoKernel } from "./test-bench.ts";

const skip = whyNoKernel();
const STREAM = 1;
const DGRAM = 2;
const RAW = 3;
const AF_INET = 2;
const AF_PACKET = 17;
const ETH_P_ALL = 3;

function openFds(): string[] {
  return readdirSync("/proc/self/fd").sort();
}

function receiveAll(fd: number): Buffer[] {
  const out: Buffer[] = [];
  for (let failures = 0; failures < 2; )
    try {
      const got = loadAddon().receive(fd);
      if (got === undefined) return out;
      out.push(got.data);
    } catch {
      // ENETDOWN, once: the device was down before.
      failures++;
    }
  return out;
}

function inPod(netns: string, setting: string, value: string): void {
  loadAddon().withNetns(netns, () => writeFileSync(`/proc/sys/net/${setting}`, value));
}

describe("pod links", { skip }, () => {
  it("gives the pod permanent neighbours for its gateways, with the host end's address", () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    bench.kernel.createPodLink(podSpec(netns));
    using socket = new NetlinkSocket(netns, NETLINK_ROUTE);
    const step = {
      op: "list neighbours",
      write: (w: Parameters<typeof writeGetNeighbours>[0], f: number, s: number) => writeGetNeighbours(w, f, s),
    };
    const neighbours = socket.dump(step, readNeighbour).filter((n) => n.isPermanent);
    assert.deepEqual(neighbours.map((n) => `${n.addr.text} ${Buffer.from(n.mac ?? []).toString("hex")}`).sort(), [
      "169.254.1.1 eeeeeeeeeeee",
      "fe80::1 eeeeeeeeeeee",
    ]);
  });

  it("gives the host end no address of the kernel's making", () => {
    using bench = openLinux("tcx");
    bench.kernel.createPodLink(podSpec(bench.addNetns()));
    bench.kernel.openPodLink("twl0123456789ab");
    assert.deepEqual(bench.kernel.addrs("twl0123456789ab"), []);
  });

  it("what a pod sends as soon as its link is open leaves it", async () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    const addon = loadAddon();
    for (let i = 0; i < 40; i++) {
      const spec = podSpec(netns);
      const { hostIfindex } = bench.kernel.createPodLink(spec);
      const seen = addon.socket(bench.node, AF_PACKET, RAW, 0);
      addon.bindPacket(seen, hostIfindex, ETH_P_ALL);
      bench.kernel.openPodLink(spec.hostIfname, spec);
      const sender = addon.socket(netns, AF_INET, DGRAM, 0);
      addon.send(sender, new TextEncoder().encode(`number ${i}.`), "198.51.100.1", 9);
      addon.close(sender);
      const end = performance.now() + 30_000;
      for (let isThere = false; !isThere; ) {
        isThere = receiveAll(seen).some((data) => data.toString("latin1").includes(`number ${i}.`));
        assert.ok(isThere || performance.now() < end, `the first datagram of link ${i} was lost`);
        if (!isThere) await setImmediate();
      }
      addon.close(seen);
      bench.kernel.deleteLink(spec.hostIfname);
    }
  });

  it("gives an IPv6 address that may be used at once", () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    bench.kernel.createPodLink(podSpec(netns));
    bench.kernel.openPodLink("twl0123456789ab");
    const addon = loadAddon();
    const socket = addon.socket(netns, 10, STREAM, 0);
    addon.bind(socket, "fd00:10:244:1::2", 0);
    addon.close(socket);
  });

  it("switches IPv6 on in a pod whose namespace has it off", () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    inPod(netns, "ipv6/conf/all/disable_ipv6", "1");
    inPod(netns, "ipv6/conf/default/disable_ipv6", "1");
    const made = bench.kernel.createPodLink(podSpec(netns));
    const seen = bench.kernel.inspectPodLink(netns, "eth0");
    assert.deepEqual(seen?.addrs.map((a) => a.addr.text).sort(), made.addrs.map((a) => a.addr.text).sort());
    assert.equal(seen?.routes.length, 4);
  });

  it("removes a link that cannot be completed, and says at what it failed", () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    // No route may lead through a multicast address.
    const impossible = podSpec(netns, { gateways: [addr("169.254.1.1"), addr("ff02::1")] });
    assert.throws(() => bench.kernel.createPodLink(impossible), {
      name: "KernelError",
      op: `add route ::/0 on "eth0" in "${netns}"`,
    });
    assert.equal(bench.kernel.inspectPodLink(netns, "eth0"), undefined);
    assert.equal(
      bench.kernel.links().some((l) => l.name === "twl0123456789ab"),
      false,
    );
  });

  it("refuses a file that is no namespace, in the words of a missing one", () => {
    using bench = openLinux("tcx");
    const file = join(bench.pinDirectory, "..", "..", "file");
    writeFileSync(file, "");
    for (const path of [file, "/proc/self/ns/mnt"])
      assert.throws(() => bench.kernel.createPodLink(podSpec(path)), {
        code: "ENOENT",
        message: /no network namespace/,
      });
  });

  it("closes every descriptor that it opens, also when it fails", async () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    bench.kernel.loadPrograms(bench.objects[0], { pinDirectory: bench.pinDirectory, maxEntries: new Map() });
    bench.kernel.maps();
    const before = openFds();
    for (let i = 0; i < 20; i++) {
      bench.kernel.createPodLink(podSpec(netns));
      bench.kernel.putAttachment({ link: "twl0123456789ab", direction: "ingress", program: "from_pod" });
      bench.kernel.openPodLink("twl0123456789ab");
      bench.kernel.attachments();
      bench.kernel.inspectPodLink(netns, "eth0");
      bench.kernel.setLoopbackUp(netns);
      assert.throws(() => bench.kernel.createPodLink(podSpec(netns)), { code: "EEXIST" });
      assert.throws(() => bench.kernel.createPodLink(podSpec("/nonexistent")), { code: "ENOENT" });
      bench.kernel.deleteLink("twl0123456789ab");
      bench.kernel.links();
      bench.kernel.routes();
      bench.kernel.netnsId(netns);
      bench.kernel.maps();
      bench.reopen()[Symbol.dispose]();
    }
    // Threads that wait for the kernel to forget a device have a socket each, for some 20 ms: also those of before.
    const deadline = performance.now() + 30_000;
    const more = () => openFds().filter((fd) => !before.includes(fd));
    while (more().length > 0 && performance.now() < deadline) await setImmediate();
    assert.deepEqual(more(), []);
  });

  it("deletes links faster than the kernel forgets them, and tells of what it cannot delete", () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    const count = 100;
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < count; i++) {
        const spec = { ifname: `net${i}`, hostIfname: `twl${i}`, addrs: [addr(`10.244.1.${i + 2}`)], gateways: [] };
        bench.kernel.createPodLink(podSpec(netns, spec));
      }
      for (let i = 0; i < count; i++) {
        bench.kernel.deleteLink(`twl${i}`);
        assert.equal(bench.kernel.inspectPodLink(netns, `net${i}`), undefined);
      }
    }
    assert.deepEqual(
      bench.kernel.links().map((l) => l.name),
      ["lo"],
    );
    assert.throws(() => bench.kernel.deleteLink("lo"), { name: "KernelError", op: 'delete link "lo"' });
  });

  it("lists more links than one datagram of a dump holds", () => {
    using bench = openLinux("tcx");
    const netns = bench.addNetns();
    const count = 120;
    for (let i = 0; i < count; i++) {
      const spec = { ifname: `net${i}`, hostIfname: `twl${i}`, addrs: [addr(`10.244.1.${i + 2}`)], gateways: [] };
      bench.kernel.createPodLink(podSpec(netns, spec));
    }
    assert.equal(bench.kernel.links().filter((l) => l.name.startsWith("twl")).length, count);
  });
});
