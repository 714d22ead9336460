/** The rows of `identities` as they were last taken: what has to be written to have those of now. */

import type { Prefix } from "../../net/prefix.ts";
import type { IdentityRow, Partition } from "../../policy/identity.ts";

/** What to put and what to remove. */
export interface IdentityChanges {
  readonly put: readonly IdentityRow[];
  readonly removed: readonly Prefix[];
}

/** See the file's comment. */
export class IdentityRows {
  #rows = new Map<string, IdentityRow>();

  take(partition: Partition): IdentityChanges {
    const before = this.#rows;
    const now = new Map<string, IdentityRow>();
    const put: IdentityRow[] = [];
    for (const row of partition.rows()) {
      const old = before.get(row.prefix.text);
      const isSame = old?.identity === row.identity;
      if (!isSame) put.push(row);
      now.set(row.prefix.text, isSame && old !== undefined ? old : row);
    }
    const removed = [...before.values()].filter((r) => !now.has(r.prefix.text)).map((r) => r.prefix);
    this.#rows = now;
    return { put, removed };
  }

  rows(): Iterable<IdentityRow> {
    return this.#rows.values();
  }
}
