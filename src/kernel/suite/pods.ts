/** Behaviour of pods' links and namespaces. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { addr } from "../../net/addr.ts";
import { mac } from "../../net/mac.ts";
import { type Kernel, MAX_ALIAS_BYTES, type PodLink, type PodLinkSpec } from "../kernel.ts";
import type { KernelBench } from "./bench.ts";

/** A pod's link in both families. */
export function podSpec(netns: string, changes: Partial<PodLinkSpec> = {}): PodLinkSpec {
  return {
    netns,
    ifname: "eth0",
    mac: mac("0a:58:0a:f4:01:02"),
    hostIfname: "twl0123456789ab",
    hostMac: mac("ee:ee:ee:ee:ee:ee"),
    mtuBytes: 1450,
    addrs: [addr("10.244.1.2"), addr("fd00:10:244:1::2")],
    gateways: [addr("169.254.1.1"), addr("fe80::1")],
    ...changes,
  };
}

function words(link: PodLink | undefined): unknown {
  if (link === undefined) return undefined;
  return {
    ...link,
    addrs: link.addrs.map((a) => `${a.addr.text}/${a.length}`).sort(),
    routes: link.routes.map((r) => `${r.dst.text} via ${r.gateway?.text} dev ${r.link} proto ${r.protocol}`).sort(),
  };
}

function hostEnd(kernel: Kernel, name = "twl0123456789ab") {
  return kernel.links().find((l) => l.name === name);
}

/** Tests of pods. */
export function podTests(open: () => KernelBench): void {
  it("makes a pod's link with addresses and routes, closed until it is opened", () => {
    using bench = open();
    const { kernel } = bench;
    const netns = bench.addNetns();
    const made = kernel.createPodLink(podSpec(netns));
    assert.deepEqual(words(made), {
      ifindex: made.ifindex,
      hostIfindex: hostEnd(kernel)?.ifindex,
      mac: "0a:58:0a:f4:01:02",
      mtuBytes: 1450,
      addrs: ["10.244.1.2/32", "fd00:10:244:1::2/128"],
      routes: [
        "0.0.0.0/0 via 169.254.1.1 dev eth0 proto 87",
        "169.254.1.1/32 via undefined dev eth0 proto 87",
        "::/0 via fe80::1 dev eth0 proto 87",
        "fe80::1/128 via undefined dev eth0 proto 87",
      ],
      isUp: true,
    });
    assert.deepEqual(words(kernel.inspectPodLink(netns, "eth0")), words(made));
    assert.equal(hostEnd(kernel)?.isUp, false);
    assert.equal(hostEnd(kernel)?.mac, "ee:ee:ee:ee:ee:ee");
    assert.equal(hostEnd(kernel)?.peerIfindex, made.ifindex);
    assert.notEqual(hostEnd(kernel)?.peerNetnsId, undefined);
    kernel.openPodLink("twl0123456789ab");
    kernel.openPodLink("twl0123456789ab");
    assert.equal(hostEnd(kernel)?.isUp, true);
    assert.deepEqual(words(kernel.inspectPodLink(netns, "eth0")), words(made));
  });

  it("leaves a text of the longest kind on the host end, which stays when it is opened again", () => {
    using bench = open();
    const { kernel } = bench;
    kernel.createPodLink(podSpec(bench.addNetns()));
    assert.equal(hostEnd(kernel)?.alias, undefined);
    const text = "x y".padEnd(MAX_ALIAS_BYTES, "z");
    kernel.openPodLink("twl0123456789ab", undefined, text);
    assert.equal(hostEnd(kernel)?.alias, text);
    kernel.openPodLink("twl0123456789ab");
    assert.equal(hostEnd(kernel)?.alias, text);
  });

  for (const [family, addrs, gateways] of [
    ["IPv4", [addr("10.244.1.2")], [addr("169.254.1.1")]],
    ["IPv6", [addr("fd00:10:244:1::2")], [addr("fe80::1")]],
  ] as const) {
    it(`makes a pod's link with ${family} only`, () => {
      using bench = open();
      const netns = bench.addNetns();
      const made = bench.kernel.createPodLink(podSpec(netns, { addrs, gateways }));
      assert.deepEqual(words(bench.kernel.inspectPodLink(netns, "eth0")), words(made));
      assert.equal(made.routes.length, 2);
    });
  }

  it("refuses a name that exists in the pod, and leaves what is there", () => {
    using bench = open();
    const netns = bench.addNetns();
    const made = bench.kernel.createPodLink(podSpec(netns));
    const again = podSpec(netns, { hostIfname: "twlffffffffffff", addrs: [addr("10.244.1.3")] });
    assert.throws(() => bench.kernel.createPodLink(again), { name: "KernelError", code: "EEXIST" });
    assert.deepEqual(words(bench.kernel.inspectPodLink(netns, "eth0")), words(made));
    assert.equal(hostEnd(bench.kernel, "twlffffffffffff"), undefined);
  });

  it("refuses a name that exists on the node, says so, and leaves nothing in the pod", () => {
    using bench = open();
    bench.kernel.createPodLink(podSpec(bench.addNetns()));
    const netns = bench.addNetns();
    const clash = { code: "EEXIST", message: /"twl0123456789ab" exists on the node/ };
    assert.throws(() => bench.kernel.createPodLink(podSpec(netns)), clash);
    assert.equal(bench.kernel.inspectPodLink(netns, "eth0"), undefined);
  });

  it("takes a second link in the same pod", () => {
    using bench = open();
    const netns = bench.addNetns();
    const first = bench.kernel.createPodLink(podSpec(netns));
    const more = { ifname: "net1", hostIfname: "twlffffffffffff", addrs: [addr("10.244.1.3")], gateways: [] };
    bench.kernel.createPodLink(podSpec(netns, more));
    assert.deepEqual(words(bench.kernel.inspectPodLink(netns, "eth0")), words(first));
    assert.equal(bench.kernel.inspectPodLink(netns, "net1")?.addrs[0]?.addr.text, "10.244.1.3");
  });

  it("leaves the routes of another link of the pod alone, while a second comes and goes", () => {
    using bench = open();
    const netns = bench.addNetns();
    const first = bench.kernel.createPodLink(podSpec(netns));
    const more = {
      ifname: "net1",
      hostIfname: "twlffffffffffff",
      addrs: [addr("10.244.1.3"), addr("fd00:10:244:1::3")],
    };
    const second = bench.kernel.createPodLink(podSpec(netns, more));
    assert.deepEqual(words(bench.kernel.inspectPodLink(netns, "eth0")), words(first));
    assert.deepEqual(words(bench.kernel.inspectPodLink(netns, "net1")), words(second));
    assert.equal(second.routes.length, 4);
    bench.kernel.deleteLink("twlffffffffffff");
    assert.deepEqual(words(bench.kernel.inspectPodLink(netns, "eth0")), words(first));
  });

  it("removes a pod's end with the host's end", () => {
    using bench = open();
    const netns = bench.addNetns();
    bench.kernel.createPodLink(podSpec(netns));
    bench.kernel.deleteLink("twl0123456789ab");
    assert.equal(bench.kernel.inspectPodLink(netns, "eth0"), undefined);
    bench.kernel.createPodLink(podSpec(netns));
  });

  it("says ENOENT of a namespace that is gone or never was", () => {
    using bench = open();
    const { kernel } = bench;
    const netns = bench.addNetns();
    bench.removeNetns(netns);
    for (const path of [netns, "/nonexistent/netns"]) {
      assert.throws(() => kernel.createPodLink(podSpec(path)), { name: "KernelError", code: "ENOENT" });
      assert.throws(() => kernel.inspectPodLink(path, "eth0"), { name: "KernelError", code: "ENOENT" });
      assert.throws(() => kernel.setLoopbackUp(path), { name: "KernelError", code: "ENOENT" });
      assert.equal(kernel.netnsId(path), undefined);
    }
    assert.equal(hostEnd(kernel), undefined);
  });

  it("says ENODEV when there is nothing to open", () => {
    using bench = open();
    assert.throws(() => bench.kernel.openPodLink("twl0123456789ab"), { name: "KernelError", code: "ENODEV" });
  });

  it("knows a namespace by any path to it", () => {
    using bench = open();
    const netns = bench.addNetns();
    const id = bench.kernel.netnsId(netns);
    assert.match(id ?? "", /^\d+:\d+$/);
    assert.equal(bench.kernel.netnsId(bench.aliasNetns(netns)), id);
    assert.notEqual(bench.kernel.netnsId(bench.addNetns()), id);
  });

  it("sets a pod's loopback up, and again", () => {
    using bench = open();
    const netns = bench.addNetns();
    bench.kernel.setLoopbackUp(netns);
    bench.kernel.setLoopbackUp(netns);
    assert.equal(bench.kernel.inspectPodLink(netns, "lo")?.isUp, true);
  });
}
