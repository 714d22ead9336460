import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelError } from "../kernel/kernel.ts";
import { bytesKey } from "../net/bytes-key.ts";
import { GenerationOf } from "../net/gen/bpf-maps.ts";
import type { MapRow } from "../plan/rows.ts";
import { deleteEndpointKeys, putEndpointRows } from "./endpoint-map.ts";

/** Maps that note the order of writes. */
class Maps {
  readonly tables = new Map<string, Map<string, Uint8Array>>();
  readonly writes: string[] = [];

  /** `generation` is an array, whose entries are all there from the beginning. */
  constructor(...names: readonly string[]) {
    for (const name of names) this.tables.set(name, new Map());
    const values = this.tables.get("generation");
    for (let of = 0; of < GenerationOf.count; of++)
      values?.set(bytesKey(Uint8Array.of(of, 0, 0, 0)), new Uint8Array(8));
  }

  #table(map: string): Map<string, Uint8Array> {
    const table = this.tables.get(map);
    if (table === undefined) throw new KernelError(`open map "${map}"`, "ENOENT", 2);
    return table;
  }

  mapGet(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#table(map).get(bytesKey(key));
  }

  putMapRows(map: string, rows: readonly MapRow[]): void {
    for (const { key, value } of rows) this.#table(map).set(bytesKey(key), value);
    this.writes.push(`put ${map}`);
  }

  deleteMapKeys(map: string, keys: readonly Uint8Array[]): void {
    for (const key of keys) this.#table(map).delete(bytesKey(key));
    this.writes.push(`delete ${map}`);
  }
}

const ROW: MapRow = { key: new Uint8Array(16).fill(1), value: new Uint8Array(32) };
const KEY = new Uint8Array(4);

test("every change gets a generation of its own, written after it", () => {
  const maps = new Maps("endpoints", "generation");
  const values = new Set<string>();
  for (let i = 0; i < 300; i++) {
    if (i % 2 === 0) putEndpointRows(maps, [ROW]);
    else deleteEndpointKeys(maps, [ROW.key]);
    values.add(bytesKey(maps.mapGet("generation", KEY) ?? KEY));
  }
  assert.equal(values.size, 300);
  const announced = ["put generation", "put generation"];
  assert.deepEqual(maps.writes.slice(0, 6), ["put endpoints", ...announced, "delete endpoints", ...announced]);
});

test("the generation wraps, and is never the one of a flow that nobody has judged", () => {
  const maps = new Maps("endpoints", "generation");
  maps.putMapRows("generation", [{ key: KEY, value: Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0) }]);
  putEndpointRows(maps, [ROW]);
  assert.deepEqual([...(maps.mapGet("generation", KEY) ?? [])], [1, 0, 0, 0, 0, 0, 0, 0]);
});

test("programs without the map need none; another failure is one", () => {
  const old = new Maps("endpoints");
  putEndpointRows(old, [ROW]);
  deleteEndpointKeys(old, [ROW.key]);
  assert.deepEqual(old.writes, ["put endpoints", "delete endpoints"]);
  const broken = new Maps("endpoints");
  broken.mapGet = () => {
    throw new KernelError("read map", "EPERM", 1);
  };
  assert.throws(() => putEndpointRows(broken, [ROW]), /EPERM/);
});
