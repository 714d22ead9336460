/** A pretended BPF map: bounded, and with the kernel's own answers to what does not fit. */

import { bytesKey } from "../../net/bytes-key.ts";
import { canonicalTrieKey, prefixLengthOf, withPrefixLength } from "../../net/trie-key.ts";
import type { MapRow } from "../../plan/rows.ts";
import { KernelError } from "../kernel.ts";
import { FakeRing } from "./ring.ts";

/** How a map is made. */
export interface FakeMapSpec {
  readonly type: "hash" | "lru_hash" | "percpu_hash" | "array" | "percpu_array" | "lpm_trie" | "ringbuf";
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

/** See the head of this file. */
export class FakeMap {
  readonly name: string;
  readonly spec: FakeMapSpec;
  /** What a map of type `ringbuf` has instead of rows. */
  readonly ring: FakeRing | undefined;
  readonly #rows = new Map<string, MapRow>();

  constructor(name: string, spec: FakeMapSpec) {
    this.name = name;
    this.spec = spec;
    this.ring = spec.type === "ringbuf" ? new FakeRing(spec.maxEntries) : undefined;
    if (!this.#isArray) return;
    for (let i = 0; i < spec.maxEntries; i++) {
      const key = new Uint8Array(Uint32Array.of(i).buffer);
      this.#rows.set(this.#idOf(key), { key, value: new Uint8Array(spec.valueBytes) });
    }
  }

  get #isArray(): boolean {
    return this.spec.type === "array" || this.spec.type === "percpu_array";
  }

  get size(): number {
    return this.#rows.size;
  }

  rows(): MapRow[] {
    return [...this.#rows.values()].map((r) => ({ key: r.key.slice(), value: r.value.slice() }));
  }

  /** Rows behind a cursor, in the order of their identifiers; the cursor is the last one shown. A trie begins anew where that one has gone. */
  page(
    cursor: Uint8Array | undefined,
    limit: number,
  ): { readonly rows: MapRow[]; readonly next: Uint8Array | undefined } {
    const at = cursor === undefined ? "" : this.#idOf(cursor);
    const after = this.spec.type === "lpm_trie" && !this.#rows.has(at) ? "" : at;
    const ids = [...this.#rows.keys()].filter((id) => id > after).sort();
    const rows = ids.slice(0, limit).flatMap((id) => this.#rows.get(id) ?? []);
    return { rows, next: ids.length > limit ? rows.at(-1)?.key : undefined };
  }

  /** In a trie the longest prefix that covers the key. */
  get(key: Uint8Array): Uint8Array | undefined {
    this.#check("key", key, this.spec.keyBytes);
    if (this.spec.type !== "lpm_trie") return this.#rows.get(this.#idOf(key))?.value.slice();
    const longest = prefixLengthOf(key);
    for (let length = longest; length >= 0; length--) {
      const row = this.#rows.get(this.#idOf(withPrefixLength(key, length)));
      if (row !== undefined) return row.value.slice();
    }
    return undefined;
  }

  put(row: MapRow): void {
    this.#check("key", row.key, this.spec.keyBytes);
    this.#check("value", row.value, this.spec.valueBytes);
    const id = this.#idOf(row.key);
    if (!this.#rows.has(id) && this.#rows.size >= this.spec.maxEntries) {
      if (this.spec.type !== "lru_hash") throw this.#full();
      const oldest = this.#rows.keys().next().value;
      if (oldest !== undefined) this.#rows.delete(oldest);
    }
    this.#rows.set(id, { key: row.key.slice(), value: row.value.slice() });
  }

  delete(key: Uint8Array): void {
    this.#check("key", key, this.spec.keyBytes);
    if (this.#isArray) throw new KernelError(`delete from map "${this.name}"`, "EINVAL", 22);
    this.#rows.delete(this.#idOf(key));
  }

  #full(): KernelError {
    const [code, errno] = this.spec.type === "lpm_trie" ? (["ENOSPC", 28] as const) : (["E2BIG", 7] as const);
    const detail = `all of its ${this.spec.maxEntries} entries are in use`;
    return new KernelError(`write map "${this.name}"`, code, errno, detail);
  }

  #check(what: string, bytes: Uint8Array, wanted: number): void {
    if (bytes.length !== wanted)
      throw new RangeError(`Argument "${what}" has ${bytes.length} bytes, ${wanted} are wanted`);
  }

  /** Keys of a trie are the same when their prefixes are: bits behind the length do not count. */
  #idOf(key: Uint8Array): string {
    const bytes = this.spec.type === "lpm_trie" ? canonicalTrieKey(key) : key;
    return bytesKey(bytes);
  }
}
