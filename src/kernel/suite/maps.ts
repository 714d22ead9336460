/** Behaviour of maps. */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { MapRow } from "../../plan/rows.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelBench } from "./bench.ts";

function load(bench: KernelBench, kernel: Kernel, version: 0 | 1, sizes: readonly [string, number][] = []): void {
  kernel.loadPrograms(bench.objects[version], { pinDirectory: bench.pinDirectory, maxEntries: new Map(sizes) });
}

/** Row `n` of the nodes map: key of 16 bytes, value of 8. */
function row(n: number, value = n): MapRow {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setUint32(12, n);
  return { key, value: Uint8Array.from({ length: 8 }, () => value & 0xff) };
}

function rows(count: number): MapRow[] {
  return Array.from({ length: count }, (_, i) => row(i));
}

function text(list: readonly MapRow[]): string[] {
  return list.map((r) => `${Buffer.from(r.key).toString("hex")}=${Buffer.from(r.value).toString("hex")}`).sort();
}

/** A row of the ipcache: prefix of 16 bytes with a length in front, value of 24 bytes that begins with `value`. */
function route(length: number, firstBytes: readonly number[], value: number): MapRow {
  const key = new Uint8Array(20);
  new DataView(key.buffer).setUint32(0, length, true);
  key.set(firstBytes, 4);
  return { key, value: Uint8Array.from({ length: 24 }, (_, i) => (i === 0 ? value : 0)) };
}

/** Tests of single entries and errors. */
export function mapTests(open: () => KernelBench): void {
  it("lists the object's maps, with the sizes that were asked for", () => {
    using bench = open();
    assert.deepEqual(bench.kernel.maps(), []);
    load(bench, bench.kernel, 0, [["nodes", 77]]);
    const nodes = bench.kernel.maps().find((m) => m.name === "nodes");
    assert.deepEqual(nodes, { name: "nodes", type: "hash", keyBytes: 16, valueBytes: 8, maxEntries: 77 });
    assert.deepEqual(
      bench.kernel.maps().map((m) => m.name),
      bench.kernel
        .maps()
        .map((m) => m.name)
        .sort(),
    );
  });

  it("says that there is no such map", () => {
    using bench = open();
    assert.throws(() => bench.kernel.mapRows("nodes"), { name: "KernelError", code: "ENOENT" });
    load(bench, bench.kernel, 0);
    assert.throws(() => bench.kernel.mapGet("../nodes", new Uint8Array(16)), { code: "ENOENT" });
  });

  it("puts, gets, replaces and deletes entries", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0);
    kernel.putMapRows("nodes", [row(1), row(2)]);
    kernel.putMapRows("nodes", [row(2, 9)]);
    assert.deepEqual(text(kernel.mapRows("nodes")), text([row(1), row(2, 9)]));
    assert.deepEqual([...(kernel.mapGet("nodes", row(2).key) ?? [])], [...row(2, 9).value]);
    assert.equal(kernel.mapGet("nodes", row(3).key), undefined);
    assert.equal(kernel.mapCount("nodes"), 2);
    kernel.deleteMapKeys("nodes", [row(1).key, row(3).key]);
    assert.deepEqual(text(kernel.mapRows("nodes")), text([row(2, 9)]));
    kernel.putMapRows("nodes", []);
    kernel.deleteMapKeys("nodes", []);
    assert.equal(kernel.mapCount("nodes"), 1);
  });

  it("throws for a wrong length, alone or among many, and changes nothing", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0);
    kernel.putMapRows("nodes", [row(1)]);
    const short = { key: new Uint8Array(15), value: new Uint8Array(8) };
    const long = { key: new Uint8Array(16), value: new Uint8Array(9) };
    for (const bad of [short, long]) assert.throws(() => kernel.putMapRows("nodes", [bad]), RangeError);
    assert.throws(() => kernel.deleteMapKeys("nodes", [short.key]), RangeError);
    assert.throws(() => kernel.mapGet("nodes", new Uint8Array(17)), RangeError);
    assert.deepEqual(text(kernel.mapRows("nodes")), text([row(1)]));
  });

  it("says which map is full, and of what size", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0, [
      ["nodes", 8],
      ["ipcache", 8],
    ]);
    assert.throws(() => kernel.putMapRows("nodes", rows(9)), {
      code: "E2BIG",
      message: 'Cannot write map "nodes": E2BIG (all of its 8 entries are in use)',
    });
    assert.equal(kernel.mapCount("nodes"), 8);
    const prefixes = Array.from({ length: 9 }, (_, i) => route(16, [i, i], i));
    assert.throws(() => kernel.putMapRows("ipcache", prefixes), { code: "ENOSPC" });
    kernel.deleteMapKeys("nodes", [row(0).key]);
    kernel.putMapRows("nodes", [row(100)]);
    assert.equal(kernel.mapCount("nodes"), 8);
  });

  it("finds the longest prefix", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0);
    kernel.putMapRows("ipcache", [route(8, [10], 1), route(16, [10, 1], 2), route(24, [10, 1, 2], 3), route(0, [], 4)]);
    const found = (bytes: readonly number[]) => kernel.mapGet("ipcache", route(128, bytes, 0).key)?.[0];
    assert.deepEqual([found([10, 9]), found([10, 1, 9]), found([10, 1, 2, 9]), found([11])], [1, 2, 3, 4]);
    kernel.deleteMapKeys("ipcache", [route(16, [10, 1], 0).key]);
    assert.equal(found([10, 1, 9]), 1);
    assert.equal(kernel.mapRows("ipcache").length, 3);
    assert.equal(kernel.mapCount("ipcache"), 3);
  });

  it("takes an array as full from the start, and a ring as empty", () => {
    using bench = open();
    load(bench, bench.kernel, 0);
    assert.equal(bench.kernel.mapCount("config"), 1);
    assert.equal(bench.kernel.mapRows("config").length, 1);
    assert.deepEqual(bench.kernel.mapRows("events"), []);
    assert.equal(bench.kernel.mapCount("events"), 0);
  });
}

/** Tests of many entries, and of what becomes of them. */
export function manyRowsTests(open: () => KernelBench): void {
  it("writes, reads and deletes thousands", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0);
    const many = rows(10_000);
    kernel.putMapRows("nodes", many);
    assert.equal(kernel.mapCount("nodes"), 10_000);
    assert.deepEqual(text(kernel.mapRows("nodes")), text(many));
    // Every second key twice over: what is not there any more is no error.
    const keys = many.filter((_, i) => i % 2 === 0).map((r) => r.key);
    kernel.deleteMapKeys("nodes", [...keys, ...keys]);
    assert.deepEqual(text(kernel.mapRows("nodes")), text(many.filter((_, i) => i % 2 === 1)));
  });

  it("shows every row that stays, page by page, while others are deleted", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0);
    const many = rows(1000);
    kernel.putMapRows("nodes", many);
    const seen = new Set<string>();
    let pages = 0;
    let cursor: Uint8Array | undefined;
    do {
      const page = kernel.mapPage("nodes", cursor, 64);
      for (const shown of text(page.rows)) seen.add(shown);
      // The last of the page is deleted: a walk by "the key after this one" would begin again.
      kernel.deleteMapKeys(
        "nodes",
        page.rows.slice(-1).map((r) => r.key),
      );
      cursor = page.next;
      pages++;
    } while (cursor !== undefined && pages < 1000);
    assert.equal(cursor, undefined);
    assert.equal(seen.size, 1000);
    assert.equal(
      kernel.mapCount("nodes"),
      1000 - pages + (kernel.mapPage("nodes", undefined, 1).rows.length === 0 ? 1 : 0),
    );
  });

  it("shows a trie from key to key: behind any that stands there, and anew where the last one shown has gone", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0);
    const many = Array.from({ length: 200 }, (_, i) => route(i % 5 === 0 ? 24 : 128, [10, i >> 4, i & 15], i));
    kernel.putMapRows("ipcache", many);
    const all = text(kernel.mapRows("ipcache"));
    const walk = (from: Uint8Array | undefined) => {
      const shown: MapRow[] = [];
      let cursor = from;
      do {
        const page = kernel.mapPage("ipcache", cursor, 32);
        shown.push(...page.rows);
        cursor = page.next;
      } while (cursor !== undefined);
      return shown;
    };
    const shown = walk(undefined);
    assert.deepEqual(text(shown), all, "each once");
    const [, , third] = shown;
    assert.ok(third);
    assert.deepEqual(text(walk(third.key)), text(shown.slice(3)));
    kernel.deleteMapKeys("ipcache", [third.key]);
    assert.deepEqual(text(walk(third.key)), text(shown.filter((r) => r !== third)));
  });

  it("keeps the entries over a restart and an upgrade", () => {
    using bench = open();
    load(bench, bench.kernel, 0);
    bench.kernel.putMapRows("nodes", rows(50));
    const later = bench.reopen();
    assert.deepEqual(text(later.mapRows("nodes")), text(rows(50)));
    load(bench, later, 1);
    assert.deepEqual(text(later.mapRows("nodes")), text(rows(50)));
  });

  it("keeps the entries that fit when a map's size changes", () => {
    using bench = open();
    const { kernel } = bench;
    load(bench, kernel, 0, [["nodes", 64]]);
    kernel.putMapRows("nodes", rows(50));
    load(bench, kernel, 0, [["nodes", 128]]);
    assert.deepEqual(text(kernel.mapRows("nodes")), text(rows(50)));
    load(bench, kernel, 0, [["nodes", 10]]);
    assert.equal(kernel.mapCount("nodes"), 10);
    assert.equal(kernel.maps().find((m) => m.name === "nodes")?.maxEntries, 10);
  });
}
