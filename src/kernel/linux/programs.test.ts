/** What only the real kernel can show of programs: crashes, other layouts, the verifier's words, process death. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { BPF_MAPS, type BpfMapName } from "../../net/gen/bpf-maps.ts";
import { mac } from "../../net/mac.ts";
import { createFakeKernel } from "../fake/fake-kernel.ts";
import { TWILL_OBJECT } from "../fake/object.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelBench } from "../suite/bench.ts";
import { loadAddon } from "./addon.ts";
import { mapPin } from "./bpffs.ts";
import { createLinuxKernel } from "./linux-kernel.ts";
import { openLinux, whyNoKernel } from "./test-bench.ts";

const skip = whyNoKernel();
const HASH = 1;

function load(bench: KernelBench, kernel: Kernel = bench.kernel, version: 0 | 1 = 0) {
  return kernel.loadPrograms(bench.objects[version], { pinDirectory: bench.pinDirectory, maxEntries: new Map() });
}

function putPair(kernel: Kernel): void {
  const row = { kind: "veth", name: "twill0", peer: "twill1", mtuBytes: 1450 } as const;
  kernel.putLink({ ...row, mac: mac("ee:ee:ee:ee:ee:ee"), peerMac: mac("ee:ee:ee:ee:ee:e1") });
}

function mapId(bench: KernelBench, map: string): number {
  const addon = loadAddon();
  const fd = addon.objGet(mapPin(bench.pinDirectory, map));
  assert.ok(fd !== undefined);
  const handle = addon.mapAdopt(fd);
  const { id } = addon.mapInfo(handle);
  addon.mapClose(handle);
  return id;
}

describe("the real object", { skip }, () => {
  it("is accepted by the verifier, and is what the fake takes it for", () => {
    using bench = openLinux("tcx");
    const object = readFileSync(new URL("../../../bpf/gen/twill.o", import.meta.url));
    const options = { pinDirectory: bench.pinDirectory, maxEntries: new Map() };
    assert.equal(bench.kernel.loadPrograms(object, options).isSame, false);
    const fake = createFakeKernel();
    fake.loadPrograms(object, options);
    const isPerCpu = (m: { readonly type: string }) => m.type.startsWith("percpu_");
    const partBytes = (name: string) => BPF_MAPS[name as BpfMapName].valueBytes;
    const comparable = (kernel: Kernel) =>
      kernel.maps().map((m) => (isPerCpu(m) ? { ...m, valueBytes: m.valueBytes % partBytes(m.name) } : m));
    assert.deepEqual(comparable(bench.kernel), comparable(fake));
    const { tag } = bench.kernel.loadPrograms(object, options);
    assert.deepEqual(readdirSync(join(bench.pinDirectory, "programs", tag)).sort(), [...TWILL_OBJECT.programs].sort());
  });
});

describe("a kernel without a kind of programs", { skip }, () => {
  it("says so: kinds of programs are those of its configuration", (t) => {
    if (!existsSync("/proc/config.gz")) return t.skip("this kernel does not show its configuration");
    const config = gunzipSync(readFileSync("/proc/config.gz")).toString();
    const addon = loadAddon();
    for (const [type, option] of [
      [18, "CGROUP_BPF"],
      [20, "BPF_LIRC_MODE2"],
    ] as const)
      assert.equal(addon.hasProgramType(type), config.includes(`CONFIG_${option}=y`), option);
  });

  it("loads all but those on sockets, knows them again, and takes the whole object where there are such programs", () => {
    using bench = openLinux("tcx");
    const object = readFileSync(new URL("../../../bpf/gen/twill.o", import.meta.url));
    const { pinDirectory } = bench;
    const options = { pinDirectory, maxEntries: new Map() };
    const pinned = (tag: string) => readdirSync(join(pinDirectory, "programs", tag)).sort();
    const others = TWILL_OBJECT.programs.filter((name) => !name.startsWith("sock_")).sort();
    const open = () => createLinuxKernel({ pinDirectory, hasProgramType: (type) => type !== 18 });
    using poor = open();
    const { tag, isSame, leftOut } = poor.loadPrograms(object, options);
    assert.deepEqual([isSame, leftOut?.length, pinned(tag)], [false, 8, others]);
    assert.match(JSON.stringify(poor.controlGroup(undefined)), /CONFIG_CGROUP_BPF/);
    using again = open();
    assert.deepEqual(again.loadPrograms(object, options), { tag, isSame: true, leftOut });
    const whole = bench.kernel.loadPrograms(object, options);
    assert.equal(whole.isSame, false);
    assert.deepEqual(pinned(whole.tag), [...TWILL_OBJECT.programs].sort());
  });
});

describe("pins", { skip }, () => {
  it("loads again what a crash left half done", () => {
    using bench = openLinux("tcx");
    const { tag } = load(bench);
    const nodes = mapId(bench, "nodes");
    const current = join(bench.pinDirectory, "current");
    // Died before the last step: programs are pinned, some of them, and "current" names another tag.
    rmSync(join(bench.pinDirectory, "programs", tag, "from_pod"));
    rmSync(current);
    symlinkSync("programs/0000", current);
    mkdirSync(join(bench.pinDirectory, "programs", "0000"));
    assert.deepEqual(load(bench, bench.reopen()), { tag, isSame: false });
    assert.equal(readlinkSync(current), `programs/${tag}`);
    assert.deepEqual(readdirSync(join(bench.pinDirectory, "programs")), [tag]);
    assert.equal(mapId(bench, "nodes"), nodes, "the maps are the same as before");
    assert.equal(load(bench, bench.reopen()).isSame, true);
  });

  it("does not take programs for loaded whose maps are no longer the pinned ones", () => {
    using bench = openLinux("tcx");
    load(bench);
    rmSync(mapPin(bench.pinDirectory, "metrics"));
    assert.equal(load(bench, bench.reopen()).isSame, false);
    assert.equal(load(bench, bench.reopen()).isSame, true);
  });

  it("replaces a map of another layout under its name, and unpins one that the object does not have", () => {
    using bench = openLinux("tcx");
    load(bench);
    const addon = loadAddon();
    for (const [name, keyBytes] of [
      ["nodes", 32],
      ["retired", 4],
    ] as const) {
      const map = addon.mapCreate(HASH, keyBytes, 8, 16, 0, name);
      rmSync(mapPin(bench.pinDirectory, name), { force: true });
      addon.objPin(addon.mapInfo(map).fd, mapPin(bench.pinDirectory, name));
      addon.mapPut(map, new Uint8Array(keyBytes), new Uint8Array(8));
      addon.mapClose(map);
    }
    const later = bench.reopen();
    assert.equal(load(bench, later, 1).isSame, false);
    const names = later.maps().map((m) => m.name);
    assert.deepEqual(names, [...TWILL_OBJECT.maps.keys()].sort());
    assert.equal(later.maps().find((m) => m.name === "nodes")?.keyBytes, 16);
    assert.equal(later.mapCount("nodes"), 0);
  });

  it("keeps a replaced map alive for the programs that still run on it", () => {
    using bench = openLinux("tcx");
    const { kernel } = bench;
    putPair(kernel);
    load(bench);
    kernel.putAttachment({ link: "twill1", direction: "ingress", program: "from_host" });
    const before = mapId(bench, "metrics");
    const sizes = new Map([["metrics", 128]]);
    kernel.loadPrograms(bench.objects[0], { pinDirectory: bench.pinDirectory, maxEntries: sizes });
    assert.notEqual(mapId(bench, "metrics"), before);
    const fd = loadAddon().mapById(before);
    assert.ok(fd !== undefined, "the old map is still there");
    loadAddon().close(fd);
    assert.deepEqual(
      kernel.attachments().map((a) => a.isCurrent),
      [false],
    );
  });

  it("says where a bpffs is missing", () => {
    using bench = openLinux("tcx");
    const options = { pinDirectory: "/proc/nowhere/twill", maxEntries: new Map() };
    assert.throws(() => bench.kernel.loadPrograms(bench.objects[0], options), {
      code: "ENOTSUP",
      message: /"\/proc" is not on a bpffs: "mount -t bpf bpf \/sys\/fs\/bpf" would make it/,
    });
  });

  it("says what libbpf says of an object that is none, and leaves the loaded one", () => {
    using bench = openLinux("tcx");
    const { tag } = load(bench);
    const options = { pinDirectory: bench.pinDirectory, maxEntries: new Map() };
    assert.throws(() => bench.kernel.loadPrograms(new Uint8Array(100), options), /not a proper ELF object/);
    assert.deepEqual(load(bench, bench.reopen()), { tag, isSame: true });
  });
});

describe("processes", { skip }, () => {
  it("leaves everything attached when a process is killed", () => {
    using bench = openLinux("tcx");
    const node = `/proc/${process.pid}/fd/${loadAddon().openNetns("/proc/thread-self/ns/net")}`;
    const program = `
      import { createLinuxKernel } from ${JSON.stringify(new URL("./linux-kernel.ts", import.meta.url).href)};
      import { readFileSync } from "node:fs";
      const kernel = createLinuxKernel({ pinDirectory: process.argv[1], attachBy: "tcx" });
      const row = { kind: "veth", name: "twill0", peer: "twill1", mtuBytes: 1450 };
      kernel.putLink({ ...row, mac: "ee:ee:ee:ee:ee:ee", peerMac: "ee:ee:ee:ee:ee:e1" });
      const object = readFileSync(${JSON.stringify(new URL("../../../bpf/gen/hollow.o", import.meta.url).pathname)});
      kernel.loadPrograms(object, { pinDirectory: process.argv[1], maxEntries: new Map() });
      kernel.putAttachment({ link: "twill1", direction: "ingress", program: "from_host" });
      kernel.putMapRows("nodes", [{ key: new Uint8Array(16), value: new Uint8Array(8) }]);
      process.kill(process.pid, "SIGKILL");`;
    const argv = ["--input-type=module-typescript", "-e", program, bench.pinDirectory];
    const ended = spawnSync(process.execPath, argv, { encoding: "utf8" });
    assert.equal(ended.signal, "SIGKILL", ended.stderr);
    using kernel = createLinuxKernel({ netns: node, pinDirectory: bench.pinDirectory, attachBy: "tcx" });
    const [attached] = kernel.attachments();
    assert.deepEqual(attached, { link: "twill1", direction: "ingress", program: "from_host", isCurrent: true });
    assert.equal(kernel.mapCount("nodes"), 1);
    assert.equal(load(bench, kernel).isSame, true);
    kernel.deleteLink("twill0");
    assert.deepEqual(readdirSync(join(bench.pinDirectory, "links")), ["twill1:ingress"]);
    assert.deepEqual(kernel.attachments(), []);
    assert.deepEqual(readdirSync(join(bench.pinDirectory, "links")), []);
  });
});
