/**
 * What is known of each address, by who says it. Two may say something of one address for a while, as when it goes from a
 * pod that ends to one that begins; the say of the higher rank counts, and among equals the latest.
 */

import type { AddressFacts } from "./rule.ts";

/** Told of what counts for an address; undefined: nobody says anything any more. */
export type FactListener = (addr: AddressFacts["addr"], facts: AddressFacts | undefined) => void;

interface Say {
  readonly owner: string;
  readonly rank: number;
  readonly facts: AddressFacts;
}

/** See the file's comment. */
export class FactTable {
  readonly #byAddr = new Map<string, Say[]>();
  readonly #byOwner = new Map<string, readonly AddressFacts[]>();
  readonly #listener: FactListener;

  constructor(listener: FactListener) {
    this.#listener = listener;
  }

  /** All that an owner says, instead of what it said before. @param rank higher counts more */
  put(owner: string, facts: readonly AddressFacts[], rank: number): void {
    if (this.#byOwner.get(owner) === facts) return;
    this.#retract(owner, new Set(facts.map((f) => f.addr.text)));
    if (facts.length === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, facts);
    for (const f of facts) {
      const says = (this.#byAddr.get(f.addr.text) ?? []).filter((s) => s.owner !== owner);
      this.#settle(f.addr, [...says, { owner, rank, facts: f }]);
    }
  }

  delete(owner: string): void {
    this.put(owner, [], 0);
  }

  /** Whose say counts for an address; undefined: nobody says anything. */
  ownerAt(addr: AddressFacts["addr"]): string | undefined {
    return this.#byAddr.get(addr.text)?.at(-1)?.owner;
  }

  owners(): IterableIterator<string> {
    return this.#byOwner.keys();
  }

  #retract(owner: string, kept: ReadonlySet<string>): void {
    for (const { addr } of this.#byOwner.get(owner) ?? [])
      if (!kept.has(addr.text))
        this.#settle(
          addr,
          (this.#byAddr.get(addr.text) ?? []).filter((s) => s.owner !== owner),
        );
  }

  #settle(addr: AddressFacts["addr"], says: Say[]): void {
    const before = this.#byAddr.get(addr.text)?.at(-1)?.facts;
    says.sort((a, b) => a.rank - b.rank);
    if (says.length === 0) this.#byAddr.delete(addr.text);
    else this.#byAddr.set(addr.text, says);
    const now = says.at(-1)?.facts;
    if (now !== before) this.#listener(addr, now);
  }
}
