/** Behaviour of devices, addresses, routes and settings. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { addr } from "../../net/addr.ts";
import { mac } from "../../net/mac.ts";
import { prefix } from "../../net/prefix.ts";
import { QDISC_ROWS } from "../../plan/row-kinds.ts";
import type { QdiscRow, VethPairRow, VxlanRow } from "../../plan/rows.ts";
import type { Kernel, Link } from "../kernel.ts";
import type { KernelBench } from "./bench.ts";

const PAIR: VethPairRow = {
  kind: "veth",
  name: "twill0",
  mac: mac("ee:ee:ee:ee:ee:ee"),
  peer: "twill1",
  peerMac: mac("ee:ee:ee:ee:ee:e1"),
  mtuBytes: 1450,
};
const VXLAN: VxlanRow = { kind: "vxlan", name: "twill_vx", mac: mac("ee:ee:ee:ee:ee:e2"), port: 8472, mtuBytes: 1450 };
const ROUTER4 = { addr: addr("10.244.1.1"), length: 32 };
const ROUTER6 = { addr: addr("fd00:10:244:1::1"), length: 128 };

function link(kernel: Kernel, name: string): Link | undefined {
  return kernel.links().find((l) => l.name === name);
}

function mustLink(kernel: Kernel, name: string): Link {
  const found = link(kernel, name);
  assert.ok(found !== undefined, `there is no link "${name}"`);
  return found;
}

function own(kernel: Kernel): string[] {
  return kernel
    .routes()
    .filter((r) => r.protocol === 87)
    .map((r) => `${r.dst.text} dev ${r.link} src ${r.src?.text} mtu ${r.mtuBytes} table ${r.table}`)
    .sort();
}

/** Tests of devices. */
export function deviceTests(open: () => KernelBench): void {
  it("makes the pair, up, with both addresses and each other as peers", () => {
    using bench = open();
    bench.kernel.putLink(PAIR);
    const [near, far] = [mustLink(bench.kernel, "twill0"), mustLink(bench.kernel, "twill1")];
    assert.deepEqual([near.kind, near.mac, near.mtuBytes, near.isUp], ["veth", PAIR.mac, 1450, true]);
    assert.deepEqual([far.kind, far.mac, far.mtuBytes, far.isUp], ["veth", PAIR.peerMac, 1450, true]);
    assert.deepEqual([near.peerIfindex, far.peerIfindex], [far.ifindex, near.ifindex]);
    assert.deepEqual([near.peerNetnsId, far.peerNetnsId], [undefined, undefined]);
    assert.ok(near.hasCarrier && far.hasCarrier);
  });

  it("changes nothing when what is put stands already, and the rest in place", () => {
    using bench = open();
    bench.kernel.putLink(PAIR);
    const before = bench.kernel.links();
    bench.kernel.putLink(PAIR);
    assert.deepEqual(bench.kernel.links(), before);
    bench.kernel.putLink({ ...PAIR, mtuBytes: 1400, peerMac: mac("ee:ee:ee:ee:ee:e9") });
    assert.equal(mustLink(bench.kernel, "twill0").ifindex, before.find((l) => l.name === "twill0")?.ifindex);
    assert.equal(mustLink(bench.kernel, "twill0").mtuBytes, 1400);
    assert.equal(mustLink(bench.kernel, "twill1").mac, "ee:ee:ee:ee:ee:e9");
  });

  it("makes an external vxlan, and anew when its port changes", () => {
    using bench = open();
    bench.kernel.putLink(VXLAN);
    assert.deepEqual(mustLink(bench.kernel, "twill_vx").vxlan, { port: 8472, isExternal: true });
    assert.ok(mustLink(bench.kernel, "twill_vx").isUp);
    bench.kernel.putLink({ ...VXLAN, port: 4789 });
    assert.deepEqual(mustLink(bench.kernel, "twill_vx").vxlan, { port: 4789, isExternal: true });
  });

  it("refuses a name that another kind of device has, and leaves that one alone", () => {
    using bench = open();
    bench.kernel.putLink(PAIR);
    assert.throws(() => bench.kernel.putLink({ ...VXLAN, name: "twill0" }), { name: "KernelError", code: "EEXIST" });
    assert.equal(mustLink(bench.kernel, "twill0").kind, "veth");
  });

  it("deletes a pair by one end, and again without an error", () => {
    using bench = open();
    bench.kernel.putLink(PAIR);
    bench.kernel.deleteLink("twill0");
    assert.equal(link(bench.kernel, "twill0"), undefined);
    assert.equal(link(bench.kernel, "twill1"), undefined);
    bench.kernel.deleteLink("twill0");
  });

  it("puts, shows and deletes addresses of both families", () => {
    using bench = open();
    bench.kernel.putLink(PAIR);
    for (const address of [ROUTER4, ROUTER6, ROUTER4]) bench.kernel.putAddr({ link: "twill0", address });
    const shown = () => bench.kernel.addrs("twill0").map((a) => `${a.addr.text}/${a.length}`);
    assert.deepEqual(shown().sort(), ["10.244.1.1/32", "fd00:10:244:1::1/128"]);
    bench.kernel.deleteAddr({ link: "twill0", address: ROUTER4 });
    bench.kernel.deleteAddr({ link: "twill0", address: ROUTER4 });
    assert.deepEqual(shown(), ["fd00:10:244:1::1/128"]);
    assert.deepEqual(bench.kernel.addrs("nope"), []);
    bench.kernel.deleteAddr({ link: "nope", address: ROUTER4 });
    assert.throws(() => bench.kernel.putAddr({ link: "nope", address: ROUTER4 }), { code: "ENODEV" });
  });

  it("puts, replaces and deletes routes of both families", () => {
    using bench = open();
    const { kernel } = bench;
    kernel.putLink(PAIR);
    const route4 = { link: "twill0", dst: prefix("10.244.0.0/16"), src: ROUTER4.addr, mtuBytes: 1450 };
    const route6 = { link: "twill0", dst: prefix("fd00:10:244::/48"), src: ROUTER6.addr, mtuBytes: 1450 };
    assert.throws(() => kernel.putRoute(route4), { code: "EINVAL" }, "the source address is not there yet");
    for (const address of [ROUTER4, ROUTER6]) kernel.putAddr({ link: "twill0", address });
    for (const route of [route4, route6, route4, route6]) kernel.putRoute(route);
    assert.deepEqual(own(kernel), [
      "10.244.0.0/16 dev twill0 src 10.244.1.1 mtu 1450 table 254",
      "fd00:10:244::/48 dev twill0 src fd00:10:244:1::1 mtu 1450 table 254",
    ]);
    for (const route of [route4, route6]) kernel.putRoute({ ...route, mtuBytes: 1400 });
    assert.equal(own(kernel).filter((r) => r.includes("mtu 1400")).length, 2);
    assert.equal(own(kernel).length, 2);
    for (const route of [route4, route4, route6]) kernel.deleteRoute(route);
    assert.deepEqual(own(kernel), []);
    kernel.deleteRoute({ link: "nope", dst: route4.dst });
    assert.throws(() => kernel.putRoute({ ...route4, link: "nope" }), { code: "ENODEV" });
  });

  it("puts, changes, shows and deletes limits of devices", () => {
    using bench = open();
    const { kernel } = bench;
    const row = { link: "twill0", rateBytes: 1_250_000, burstBytes: 131_072, limitBytes: 162_322 };
    const wide = { ...row, link: "twill1", rateBytes: 8_000_000_000 };
    assert.throws(() => kernel.putQdisc(row), { name: "KernelError", code: "ENODEV" });
    kernel.deleteQdisc(row);
    kernel.putLink(PAIR);
    const shown = () => [...kernel.qdiscs()].sort((a, b) => (a.link < b.link ? -1 : 1));
    const isShown = (...wanted: QdiscRow[]) => {
      const now = shown();
      assert.ok(
        now.length === wanted.length && wanted.every((want, i) => QDISC_ROWS.matches(want, now[i]!)),
        `${JSON.stringify(now)} is not ${JSON.stringify(wanted)}`,
      );
    };
    isShown();
    for (const put of [row, wide, row]) kernel.putQdisc(put);
    isShown(row, wide);
    const changed = { ...row, rateBytes: 2_500_000, burstBytes: 1_000_000, limitBytes: 1_000_000 };
    kernel.putQdisc(changed);
    isShown(changed, wide);
    kernel.deleteQdisc(row);
    kernel.deleteQdisc(row);
    isShown(wide);
    kernel.deleteLink("twill0");
    isShown();
  });

  it("reads and writes settings, and says which there are none of", () => {
    using bench = open();
    const { kernel } = bench;
    assert.equal(kernel.sysctl("net/ipv4/no_such_setting"), undefined);
    assert.throws(() => kernel.setSysctl("net/ipv4/no_such_setting", "1"), { name: "KernelError", code: "ENOENT" });
    assert.equal(kernel.sysctl("net/ipv4/conf/twill0/rp_filter"), undefined);
    kernel.putLink(PAIR);
    for (const value of ["1", "0", "2"]) {
      kernel.setSysctl("net/ipv4/conf/twill0/rp_filter", value);
      assert.equal(kernel.sysctl("net/ipv4/conf/twill0/rp_filter"), value);
    }
    kernel.setSysctl("net/ipv6/conf/all/forwarding", "1");
    assert.equal(kernel.sysctl("net/ipv6/conf/all/forwarding"), "1");
  });
}
