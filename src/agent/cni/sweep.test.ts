import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { deviceOf } from "../../kernel/fake/machine.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { addr } from "../../net/addr.ts";
import { FakeNode, NOTHING_LEFT } from "./fake-node.ts";
import { hostIfname } from "./host-ifname.ts";
import { sweep } from "./sweep.ts";

const node = () => new FakeNode();
const NOTHING_DONE = { removed: [], adopted: [], strayLinks: [], strayEntries: 0, failures: [] };
const valid = (...containers: string[]) => ({
  "cni.dev/valid-attachments": containers.map((containerID) => ({ containerID, ifname: "eth0" })),
});

test("a sound node is left as it is, as often as one likes", () => {
  using n = node();
  n.add("a");
  n.add("b");
  const before = n.leftovers();
  for (let i = 0; i < 2; i++) assert.deepEqual(sweep(n.context()), NOTHING_DONE);
  assert.deepEqual(n.leftovers(), before);
});

test("an attachment whose namespace went is taken down; one that merely lost its path is not", () => {
  using n = node();
  n.add("dead");
  n.add("moved");
  n.machine.removeNetns("/run/netns/dead");
  n.machine.addNetns("/proc/7/ns/net", "/run/netns/moved");
  n.machine.removeNetns("/run/netns/moved");
  assert.deepEqual(
    sweep(n.context()).removed.map((e) => e.containerId),
    ["dead"],
  );
  assert.deepEqual(
    n.ledger.endpoints().map((e) => e.containerId),
    ["moved"],
  );
});

test("a pod that lives without its link keeps its lease: its DEL comes", () => {
  using n = node();
  n.add("a");
  n.machine.removeDevice(deviceOf(n.machine.node, hostIfname("a", "eth0")) ?? assert.fail());
  assert.deepEqual(sweep(n.context()), NOTHING_DONE);
  assert.equal(n.leftovers().leases, 2);
});

test("links and entries that nobody remembers go, other devices stay", () => {
  using n = node();
  n.add("a");
  n.machine.addDevice(n.machine.node, { name: "twl00000000dead", mac: "02:00:00:00:00:01" as never, mtuBytes: 1500 });
  n.machine.addDevice(n.machine.node, { name: "twl-of-others", mac: "02:00:00:00:00:02" as never, mtuBytes: 1500 });
  const kernel = createFakeKernel({ machine: n.machine });
  kernel.putMapRows("endpoints", [{ key: addr("10.244.1.99").bytes, value: new Uint8Array(32) }]);
  const done = sweep(n.context());
  assert.deepEqual([done.strayLinks, done.strayEntries], [["twl00000000dead"], 1]);
  assert.ok(deviceOf(n.machine.node, "twl-of-others") !== undefined);
  assert.equal(n.leftovers().entries, 2);
});

test("a lost ledger: pods are taken up by what stands on their devices, and their addresses are not given again", () => {
  using n = node();
  for (const c of ["a", "b", "gone"]) n.add(c, {}, { CNI_ARGS: `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${c}` });
  const before = n.ledger.endpoints();
  n.closeLedger();
  rmSync(n.ledgerPath);
  // Its device is not a stray's only because there is a note: this namespace went, and took its own end along.
  n.machine.removeNetns("/run/netns/gone");
  const done = sweep(n.context());
  const wanted = before.slice(0, 2).map(({ id: _, createdAtMs: __, ...rest }) => rest);
  assert.deepEqual(
    done.adopted.map(({ id: _, createdAtMs: __, ...rest }) => rest),
    wanted,
  );
  assert.deepEqual([done.strayLinks, done.strayEntries, done.failures], [[], 2, []]);
  assert.deepEqual(sweep(n.context()), NOTHING_DONE);
  assert.deepEqual(n.ledger.endpoints(), done.adopted);
  const taken = new Set(before.slice(0, 2).flatMap((e) => e.addrs.map((a) => a.text)));
  n.add("new");
  const fresh = n.ledger.find("new", "eth0")?.addrs.map((a) => a.text) ?? [];
  assert.equal(fresh.length, 2);
  assert.deepEqual(
    fresh.filter((a) => taken.has(a)),
    [],
  );
  for (const c of ["a", "b", "new"]) assert.equal(n.call("DEL", {}, n.env(c)).exitCode, 0);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("a note that does not fit what the namespace shows is not believed", () => {
  using n = node();
  n.add("a");
  const device = deviceOf(n.machine.node, hostIfname("a", "eth0")) ?? assert.fail();
  n.closeLedger();
  rmSync(n.ledgerPath);
  // As if somebody had moved the note to a device of another container.
  device.alias = device.alias?.replace(" a ", " b ");
  const done = sweep(n.context());
  assert.deepEqual([done.adopted, done.strayLinks], [[], [device.name]]);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("what cannot be looked at stays until it can", () => {
  using n = node();
  n.add("a");
  n.closeLedger();
  rmSync(n.ledgerPath);
  n.machine.failNext("inspectPodLink", new KernelError("look", "ENOBUFS", 105));
  const first = sweep(n.context());
  assert.deepEqual([first.adopted, first.strayLinks, first.failures.length], [[], [], 1]);
  assert.equal(sweep(n.context()).adopted.length, 1);
});

test("what could not be removed is tried again by the next sweep", () => {
  using n = node();
  n.add("a");
  n.machine.removeNetns("/run/netns/a");
  n.machine.failNext("deleteMapKeys", new KernelError("delete", "EIO", 5));
  const first = sweep(n.context());
  assert.deepEqual([first.removed, first.failures.length], [[], 1]);
  assert.equal(n.leftovers().leases, 2);
  assert.equal(sweep(n.context()).removed.length, 1);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("GC keeps what is named, and everything of other networks", () => {
  using n = node();
  n.add("wanted");
  n.add("unwanted");
  n.add("other", { name: "other-network" });
  assert.deepEqual(n.call("GC", valid("wanted")), { exitCode: 0, json: undefined });
  assert.deepEqual(
    n.ledger.endpoints().map((e) => e.containerId),
    ["wanted", "other"],
  );
  assert.equal(n.leftovers().links.length, 2);
});

test("GC goes on after a failure and reports it", () => {
  using n = node();
  n.add("a");
  n.add("b");
  n.machine.failNext("deleteMapKeys", new KernelError("delete", "EIO", 5));
  const { json } = n.call("GC", valid());
  assert.equal(json.code, 106);
  assert.match(json.details, /EIO/);
  assert.deepEqual(
    n.ledger.endpoints().map((e) => [e.containerId, e.state]),
    [["a", "deleting"]],
  );
  assert.equal(n.call("GC", valid()).exitCode, 0);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("STATUS: fine, not ready, felt by pods, exhausted, full, without pods' addresses", () => {
  using n = new FakeNode(new Map([["endpoints", 27]]));
  const status = () => n.call("STATUS");
  assert.deepEqual(status(), { exitCode: 0, json: undefined });
  n.problems = [{ reason: "programs are not loaded", isFeltByPods: false }];
  assert.deepEqual([status().json.code, status().json.msg], [50, "Twill cannot attach pods: programs are not loaded"]);
  n.problems = [{ reason: "the tunnel is gone", isFeltByPods: true }];
  assert.equal(status().json.code, 51);
  n.problems = [];
  for (let i = 0; i < 13; i++) n.add(`c${i}`);
  const full = status().json;
  assert.equal(full.code, 50);
  assert.match(
    full.details,
    /pool "10\.244\.1\.0\/28" \(13 usable: 13 in use.*\nmap "endpoints" is full: 26 of 27 entries/,
  );
  n.call("DEL", {}, n.env("c3"));
  assert.equal(status().exitCode, 0, "a cooling address would be given out");
  n.pools = [];
  assert.match(status().json.msg, /no pod CIDR yet/);
});

test("loopback: up, its addresses, prevResult passed on, missing namespace", () => {
  using n = node();
  const config = { type: "loopback", name: "cni-loopback", cniVersion: "0.3.1" };
  const added = n.add("a", config, { CNI_IFNAME: "lo" });
  assert.deepEqual(added.json, {
    cniVersion: "0.3.1",
    interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", sandbox: "/run/netns/a" }],
    ips: [
      { version: "4", interface: 0, address: "127.0.0.1/8" },
      { version: "6", interface: 0, address: "::1/128" },
    ],
    dns: {},
  });
  assert.equal(n.call("CHECK", { ...config, cniVersion: "1.0.0" }, { ...n.env("a"), CNI_IFNAME: "lo" }).exitCode, 0);
  const prevResult = { cniVersion: "0.3.1", ips: [{ version: "4", address: "192.0.2.1/24" }], dns: {} };
  assert.deepEqual(n.call("ADD", { ...config, prevResult }, { ...n.env("a"), CNI_IFNAME: "lo" }).json, prevResult);
  assert.equal(n.call("DEL", config, { ...n.env("a"), CNI_IFNAME: "lo" }).exitCode, 0);
  assert.equal(n.call("ADD", config, { ...n.env("nowhere"), CNI_IFNAME: "lo" }).json.code, 3);
});
