import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MapPage } from "../../kernel/kernel.ts";
import { bytesKey, hex } from "../../net/bytes-key.ts";
import { canonicalTrieKey } from "../../net/trie-key.ts";
import type { MapRow } from "../../plan/rows.ts";
import { Comparison, type WantedMap } from "./comparison.ts";

/** Pages are this large here, whatever is asked for: a walk has many. */
const PAGE = 3;
const BUCKETS = 8;

/** A map as the kernel walks it: a hash by buckets, each whole; a trie from key to key, and anew where the key has gone. */
class KernelMap {
  readonly isTrie: boolean;
  readonly rows = new Map<string, MapRow>();

  constructor(isTrie: boolean) {
    this.isTrie = isTrie;
  }

  #idOf(key: Uint8Array): string {
    return bytesKey(this.isTrie ? canonicalTrieKey(key) : key);
  }

  put({ key, value }: MapRow): void {
    this.rows.set(this.#idOf(key), { key: Uint8Array.from(key), value: Uint8Array.from(value) });
  }

  delete(key: Uint8Array): void {
    this.rows.delete(this.#idOf(key));
  }

  page(cursor: Uint8Array | undefined): MapPage {
    const ids = [...this.rows.keys()].sort();
    const rowsOf = (of: readonly string[]) => of.map((id) => this.rows.get(id) as MapRow);
    if (this.isTrie) {
      const at = cursor === undefined ? -1 : ids.indexOf(this.#idOf(cursor));
      const rows = rowsOf(ids.slice(at + 1, at + 1 + PAGE));
      return { rows, next: at + 1 + PAGE < ids.length ? rows.at(-1)?.key : undefined };
    }
    const bucket = cursor?.[0] ?? 0;
    const bucketOf = (id: string) => (id.charCodeAt(id.length - 1) * 5 + id.charCodeAt(4)) % BUCKETS;
    const rows = rowsOf(ids.filter((id) => bucketOf(id) === bucket));
    return { rows, next: bucket + 1 < BUCKETS ? Uint8Array.of(bucket + 1) : undefined };
  }
}

/** Two maps with one owner, who writes what changes at once, and a comparison. */
class Bench {
  readonly maps: ReadonlyMap<string, KernelMap>;
  readonly wanted = new Map<string, Map<string, MapRow>>();
  readonly deletes: string[] = [];
  readonly comparison: Comparison;
  readonly #kinds: WantedMap[];

  constructor() {
    this.maps = new Map([
      ["trie", new KernelMap(true)],
      ["hash", new KernelMap(false)],
    ]);
    const kernel = {
      mapPage: (map: string, cursor: Uint8Array | undefined) => this.map(map).page(cursor),
      putMapRows: (map: string, rows: readonly MapRow[]) => {
        for (const row of rows) this.map(map).put(row);
      },
      deleteMapKeys: (map: string, keys: readonly Uint8Array[]) => {
        for (const key of keys) this.map(map).delete(key);
        this.deletes.push(...keys.map((key) => `${map} ${hex(key)}`));
      },
    };
    this.comparison = new Comparison(kernel);
    this.#kinds = Array.from(this.maps, ([map, { isTrie }]): WantedMap => {
      const rows = new Map<string, MapRow>();
      this.wanted.set(map, rows);
      return {
        map,
        keyBytes: 6,
        isTrie,
        rowOf: (key) => rows.get(bytesKey(key)),
        *keys() {
          for (const { key } of rows.values()) yield key;
        },
      };
    });
  }

  map(name: string): KernelMap {
    const map = this.maps.get(name);
    assert.ok(map);
    return map;
  }

  steps(onFound?: () => void): Generator<void, number | undefined> {
    return this.comparison.compare(this.#kinds, onFound);
  }

  /** The owner wants another value, or none, and writes it. */
  change(map: string, key: Uint8Array, value: number | undefined): void {
    const rows = this.wanted.get(map);
    if (value === undefined) {
      rows?.delete(bytesKey(key));
      this.map(map).delete(key);
      this.comparison.deleted(map, [key]);
      return;
    }
    const row = { key, value: Uint8Array.of(value) };
    rows?.set(bytesKey(key), row);
    this.map(map).put(row);
    this.comparison.wrote(map, [row]);
  }

  check(): void {
    const text = (rows: Iterable<MapRow>) => Array.from(rows, (r) => `${hex(r.key)}=${hex(r.value)}`).sort();
    for (const [name, map] of this.maps)
      assert.deepEqual(text(map.rows.values()), text(this.wanted.get(name)?.values() ?? []), name);
  }
}

/** A prefix of 16 bits or fewer, as keys of tries are; for the hash they are bytes like any others. */
function keyOf({ bits, length }: { readonly bits: number; readonly length: number }): Uint8Array {
  return canonicalTrieKey(Uint8Array.of(length, 0, 0, 0, bits >> 8, bits & 0xff));
}

const anyKey = fc.record({
  bits: fc.constantFrom(0, 1, 2, 3, 0x80, 0x8001, 0xff00, 0xffff),
  length: fc.constantFrom(0, 8, 15, 16),
});
const anyMap = fc.constantFrom("trie", "hash");
const anyValue = fc.nat(2);
const anyChange = fc.record({ map: anyMap, key: anyKey, value: fc.option(anyValue, { nil: undefined }) });
/** What somebody else has done before: bits behind a prefix's length may be set, too. */
const anyDamage = fc.record({
  map: anyMap,
  key: anyKey,
  value: fc.option(anyValue, { nil: undefined }),
  noise: fc.nat(1),
});

test("whatever was damaged and whatever changes between its steps, the maps are as they are wanted when it ends", () => {
  fc.assert(
    fc.property(
      fc.array(anyChange, { maxLength: 30 }),
      fc.array(anyDamage, { maxLength: 12 }),
      fc.array(fc.array(anyChange, { maxLength: 3 }), { maxLength: 30 }),
      (before, damages, between) => {
        const bench = new Bench();
        for (const { map, key, value } of before) bench.change(map, keyOf(key), value);
        for (const { map, key, value, noise } of damages) {
          const damaged = keyOf(key);
          if (key.length < 16) damaged[5] = (damaged[5] ?? 0) | noise;
          if (value === undefined) bench.map(map).delete(damaged);
          else bench.map(map).put({ key: damaged, value: Uint8Array.of(value) });
        }
        let step = 0;
        for (const _ of bench.steps())
          for (const { map, key, value } of between[step++] ?? []) bench.change(map, keyOf(key), value);
        // A canonical key in place of another that means the same prefix is no difference to a trie.
        for (const map of bench.maps.values())
          if (map.isTrie) for (const row of [...map.rows.values()]) map.put({ ...row, key: canonicalTrieKey(row.key) });
        bench.check();
      },
    ),
    { numRuns: 500 },
  );
});

test("nothing is counted or written where everything is right, however much changes meanwhile", () => {
  fc.assert(
    fc.property(
      fc.array(anyChange, { maxLength: 30 }),
      fc.array(fc.array(anyChange, { maxLength: 3 }), { maxLength: 30 }),
      (before, between) => {
        const bench = new Bench();
        for (const { map, key, value } of before) bench.change(map, keyOf(key), value);
        const steps = bench.steps(() => assert.fail("something was found"));
        let step = 0;
        for (let next = steps.next(); ; next = steps.next()) {
          if (next.done === true) {
            assert.equal(next.value, 0);
            break;
          }
          for (const { map, key, value } of between[step++] ?? []) bench.change(map, keyOf(key), value);
        }
        assert.deepEqual(bench.deletes, []);
        bench.check();
      },
    ),
  );
});

test("what is too much goes last, and in the other order", () => {
  const bench = new Bench();
  for (const map of ["trie", "hash"])
    bench.map(map).put({ key: keyOf({ bits: 1, length: 16 }), value: Uint8Array.of(1) });
  let found = 0;
  const steps = bench.steps(() => found++);
  for (let next = steps.next(); ; next = steps.next()) if (next.done === true) break;
  assert.deepEqual(bench.deletes, ["hash 100000000001", "trie 100000000001"]);
  assert.equal(found, 1, "told once for the step in which they went");
});

test("one that begins ends the one before; one that fails leaves nothing behind", () => {
  const bench = new Bench();
  for (let i = 0; i < 10; i++) bench.change("trie", keyOf({ bits: i, length: 16 }), 1);
  const first = bench.steps();
  first.next();
  const second = bench.steps();
  second.next();
  assert.deepEqual(first.next(), { done: true, value: undefined });
  bench.map("trie").page = () => {
    throw new Error("EIO");
  };
  assert.throws(() => {
    for (const _ of second);
  }, /EIO/);
});

test("a trie in which rows go as fast as they are looked at is given up", () => {
  const bench = new Bench();
  const { trie } = Object.fromEntries(bench.maps);
  for (let i = 0; i < 10; i++) bench.change("trie", keyOf({ bits: i, length: 16 }), 1);
  assert.ok(trie);
  // Somebody else deletes the row behind which the walk would go on, and puts it back.
  const { page } = trie;
  trie.page = () => page.call(trie, undefined);
  assert.throws(() => {
    for (const _ of bench.steps());
  }, /entries go faster/);
});
