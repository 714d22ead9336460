/**
 * An immutable table: a change gives a new table and leaves the old one as it was, so that a snapshot is a reference.
 *
 * Rows lie in shards by a hash of their key. A change copies the one shard and the list of shards, so with 30,000 rows
 * it copies some hundred entries. Order of iteration is by shard: the same for the same keys put in the same order.
 */

/** One row's change. `row` undefined removes. */
export interface RowChange<V> {
  readonly key: string;
  readonly row: V | undefined;
}

/** What is different between two tables at one key; undefined: no row. */
export interface RowDifference<V> {
  readonly key: string;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

/** Rows by key, as they were at one revision. */
export interface Table<V> extends Iterable<V> {
  readonly size: number;
  get(key: string): V | undefined;
  has(key: string): boolean;
  keys(): Iterable<string>;
  entries(): Iterable<readonly [string, V]>;
  /** A table with the changes made, in their order. The same table when they change nothing. */
  with(changes: Iterable<RowChange<V>>): Table<V>;
  /**
   * Keys that have another row than in the other table. Between two that came from each other by a few changes it costs
   * some hundred comparisons, however large they are.
   * @param before undefined: the table without rows
   */
  changesSince(before: Table<V> | undefined): Iterable<RowDifference<V>>;
}

type Shards<V> = readonly ReadonlyMap<string, V>[];

const SHARDS = 256;
const EMPTY: ReadonlyMap<string, never> = new Map<string, never>();

/** FNV-1a over UTF-16 code units, folded to one byte. */
function shardOf(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 8) ^ (h >>> 16) ^ (h >>> 24)) & (SHARDS - 1);
}

function* allEntries<V>(shards: Shards<V>): Generator<readonly [string, V]> {
  for (const shard of shards) yield* shard;
}

function* allKeys<V>(shards: Shards<V>): Generator<string> {
  for (const shard of shards) yield* shard.keys();
}

function* allRows<V>(shards: Shards<V>): Generator<V> {
  for (const shard of shards) yield* shard.values();
}

/** The shards of each table, for who compares two. */
const shardsOf = new WeakMap<object, Shards<unknown>>();

function* differences<V>(before: Shards<V>, after: Shards<V>): Generator<RowDifference<V>> {
  // By index: this is asked for every change of anything.
  for (let i = 0; i < after.length; i++) {
    const shard = after[i] as ReadonlyMap<string, V>;
    const old = before[i] ?? (EMPTY as ReadonlyMap<string, V>);
    if (old === shard) continue;
    for (const [key, row] of shard) {
      const was = old.get(key);
      if (was !== row) yield { key, before: was, after: row };
    }
    for (const [key, row] of old) if (!shard.has(key)) yield { key, before: row, after: undefined };
  }
}

function tableOf<V>(shards: Shards<V>, size: number): Table<V> {
  const table: Table<V> = {
    size,
    get: (key) => shards[shardOf(key)]?.get(key),
    has: (key) => shards[shardOf(key)]?.has(key) ?? false,
    keys: () => allKeys(shards),
    entries: () => allEntries(shards),
    [Symbol.iterator]: () => allRows(shards),
    changesSince(before) {
      const old = before === undefined ? undefined : (shardsOf.get(before) as Shards<V> | undefined);
      return differences(old ?? [], shards);
    },
    with(changes) {
      const copied = new Map<number, Map<string, V>>();
      let next = size;
      for (const { key, row } of changes) {
        const at = shardOf(key);
        const current = copied.get(at) ?? shards[at] ?? (EMPTY as ReadonlyMap<string, V>);
        const before = current.get(key);
        if (before === row) continue;
        const shard = copied.get(at) ?? new Map(current);
        copied.set(at, shard);
        if (row === undefined) shard.delete(key);
        else shard.set(key, row);
        next += (row === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
      }
      if (copied.size === 0) return table;
      const now = shards.slice();
      for (const [at, shard] of copied) now[at] = shard;
      return tableOf(now, next);
    },
  };
  shardsOf.set(table, shards);
  return table;
}

/** The table without rows. */
export function emptyTable<V>(): Table<V> {
  return tableOf<V>(new Array(SHARDS).fill(EMPTY), 0);
}

/** A table of rows; of equal keys the last one stays. */
export function tableFrom<V>(rows: Iterable<V>, keyOf: (row: V) => string): Table<V> {
  return emptyTable<V>().with(Array.from(rows, (row) => ({ key: keyOf(row), row })));
}
