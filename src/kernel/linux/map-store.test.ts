/** Maps on kernels that know no batches, and tries whose entries go while they are read. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MapRow } from "../../plan/rows.ts";
import { type Addon, loadAddon, type MapHandle } from "./addon.ts";
import { mapPin } from "./bpffs.ts";
import { MapStore } from "./map-store.ts";
import { openLinux, whyNoKernel } from "./test-bench.ts";

const skip = whyNoKernel();

/** The addon on a kernel before 5.6. */
function withoutBatches(): Addon {
  const refused = { done: 0, errno: 524 };
  return {
    ...loadAddon(),
    mapPutBatch: () => refused,
    mapDeleteBatch: () => refused,
    mapCount: () => undefined,
    mapGetBatch() {
      throw Object.assign(new Error("no batches"), { code: "ENOTSUPP", errno: 524, syscall: "bpf" });
    },
  };
}

/** Calls `between` after each batch of at most `size` entries, with the cursor of the next. */
function interrupted(size: number, between: (map: MapHandle, cursor: Uint8Array) => void): Addon {
  const addon = loadAddon();
  return {
    ...addon,
    mapGetBatch(map, cursor, count) {
      const batch = addon.mapGetBatch(map, cursor, Math.min(size, count));
      if (batch.next !== undefined) between(map, batch.next);
      return batch;
    },
  };
}

function node(n: number): MapRow {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setUint32(12, n);
  return { key, value: new Uint8Array(8).fill(n & 0xff) };
}

/** 10.x.y.0/24 in a trie. */
function prefix(n: number): MapRow {
  const key = new Uint8Array(20);
  new DataView(key.buffer).setUint32(0, 24, true);
  key.set([10, n >> 8, n & 0xff], 4);
  return { key, value: new Uint8Array(24) };
}

function keys(rows: readonly MapRow[]): string[] {
  return rows.map((r) => Buffer.from(r.key).toString("hex")).sort();
}

function load(bench: ReturnType<typeof openLinux>, sizes: readonly [string, number][] = []): void {
  bench.kernel.loadPrograms(bench.objects[0], { pinDirectory: bench.pinDirectory, maxEntries: new Map(sizes) });
}

describe("maps without batches", { skip }, () => {
  it("writes, reads, counts and deletes one by one", () => {
    using bench = openLinux("tcx");
    load(bench);
    using maps = new MapStore(bench.pinDirectory, withoutBatches());
    const rows = Array.from({ length: 300 }, (_, i) => node(i));
    maps.put("nodes", rows);
    assert.deepEqual(keys(maps.rows("nodes")), keys(rows));
    assert.equal(maps.count("nodes"), 300);
    const { rows: page, next } = maps.page("nodes", undefined, 10);
    assert.deepEqual([keys(page), next], [keys(rows), undefined], "all of it is one page");
    maps.delete(
      "nodes",
      [...rows.slice(0, 290), ...rows.slice(0, 10)].map((r) => r.key),
    );
    assert.deepEqual(keys(maps.rows("nodes")), keys(rows.slice(290)));
    assert.equal(maps.count("config"), 1);
  });

  it("says at which size a map was full", () => {
    using bench = openLinux("tcx");
    load(bench, [["nodes", 5]]);
    using maps = new MapStore(bench.pinDirectory, withoutBatches());
    const rows = Array.from({ length: 6 }, (_, i) => node(i));
    assert.throws(() => maps.put("nodes", rows), { code: "E2BIG", message: /all of its 5 entries/ });
  });
});

describe("maps that change while they are read", { skip }, () => {
  it("shows every prefix that stays, once, though the one to go on from is deleted each time", () => {
    using bench = openLinux("tcx");
    load(bench);
    const rows = Array.from({ length: 2000 }, (_, i) => prefix(i));
    bench.kernel.putMapRows("ipcache", rows);
    const deleted = new Set<string>();
    const addon = interrupted(100, (map, cursor) => {
      if (loadAddon().mapDelete(map, cursor)) deleted.add(Buffer.from(cursor).toString("hex"));
    });
    using maps = new MapStore(bench.pinDirectory, addon);
    const seen = keys(maps.rows("ipcache"));
    assert.ok(deleted.size > 10, `only ${deleted.size} deleted`);
    assert.equal(new Set(seen).size, seen.length, "no prefix twice");
    const staying = keys(rows).filter((k) => !deleted.has(k));
    const shown = new Set(seen);
    assert.deepEqual(
      staying.filter((k) => !shown.has(k)),
      [],
    );
  });

  it("gives up on a trie that never comes to an end", () => {
    using bench = openLinux("tcx");
    load(bench, [["ipcache", 64]]);
    bench.kernel.putMapRows(
      "ipcache",
      Array.from({ length: 64 }, (_, i) => prefix(i)),
    );
    // As when the entry to go on from is always gone: each batch begins again at the front.
    const addon = loadAddon();
    const endless: Addon = { ...addon, mapGetBatch: (map) => addon.mapGetBatch(map, undefined, 8) };
    using maps = new MapStore(bench.pinDirectory, endless);
    assert.throws(() => maps.rows("ipcache"), { name: "KernelError", code: "EAGAIN" });
  });

  it("opens a pin anew after a reset, wherever it leads then", () => {
    using bench = openLinux("tcx");
    load(bench);
    const addon = loadAddon();
    using maps = new MapStore(bench.pinDirectory);
    maps.put("nodes", [node(1)]);
    load(bench, [["nodes", 7]]);
    maps.reset(bench.pinDirectory);
    assert.equal(maps.infos().find((m) => m.name === "nodes")?.maxEntries, 7);
    assert.equal(maps.count("nodes"), 1);
    const fd = addon.objGet(mapPin(bench.pinDirectory, "nodes"));
    assert.ok(fd !== undefined);
    addon.close(fd);
  });
});

describe("changes of the endpoints", { skip }, () => {
  const endpoint = (n: number): MapRow => ({ key: node(n).key, value: new Uint8Array(32).fill(1) });

  it("are announced to the flows that remember them, and nothing else is", () => {
    using bench = openLinux("tcx");
    load(bench);
    using maps = new MapStore(bench.pinDirectory);
    const seen = new Set<string>();
    const generation = () => Buffer.from(maps.get("generation", new Uint8Array(4)) ?? []).toString("hex");
    const announces = (change: () => void): boolean => {
      seen.add(generation());
      change();
      return !seen.has(generation());
    };
    assert.ok(announces(() => maps.put("endpoints", [endpoint(1)])));
    assert.ok(announces(() => maps.delete("endpoints", [endpoint(1).key])));
    assert.ok(!announces(() => maps.put("nodes", [node(1)])));
    assert.ok(!announces(() => maps.rows("endpoints")));
  });

  it("are announced even when they stopped half way", () => {
    using bench = openLinux("tcx");
    load(bench, [["endpoints", 2]]);
    using maps = new MapStore(bench.pinDirectory);
    const before = maps.get("generation", new Uint8Array(4));
    assert.throws(() => maps.put("endpoints", [endpoint(1), endpoint(2), endpoint(3)]), { code: "E2BIG" });
    assert.notDeepEqual(maps.get("generation", new Uint8Array(4)), before);
  });
});
