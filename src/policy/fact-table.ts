/**
 * What is known of each address, by who says it. Two may say something of one address for a while, as when it goes from a
 * pod that ends to one that begins; the say of the higher rank counts, and among equals the latest.
 */

import type { Addr } from "../net/addr.ts";
import type { Facts } from "./rule.ts";

/** Told of what counts for an address; undefined: nobody says anything any more. */
export type FactListener = (addr: Addr, facts: Facts | undefined) => void;

/** What is known of some addresses. */
export interface Said {
  readonly addrs: readonly Addr[];
  readonly facts: Facts;
}

interface Say extends Said {
  readonly owner: string;
  readonly rank: number;
}

/** One owner's say, as it nearly always is, or several by rising weight. */
type Says = Say | readonly Say[];

const listOf = (says: Says | undefined): readonly Say[] => (says === undefined ? [] : "owner" in says ? [says] : says);

/** The say that counts. */
const lastOf = (says: Says | undefined): Say | undefined => listOf(says).at(-1);

/** See the file's comment. */
export class FactTable {
  readonly #byAddr = new Map<string, Says>();
  readonly #byOwner = new Map<string, Say>();
  readonly #listener: FactListener;

  constructor(listener: FactListener) {
    this.#listener = listener;
  }

  /** All that an owner says, instead of what it said before; undefined: nothing. @param rank higher counts more */
  put(owner: string, said: Said | undefined, rank: number): void {
    const before = this.#byOwner.get(owner);
    if (before?.facts === said?.facts && before?.addrs === said?.addrs) return;
    const say = said === undefined ? undefined : { owner, rank, addrs: said.addrs, facts: said.facts };
    if (say === undefined) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, say);
    const now = said?.addrs ?? [];
    for (const addr of before?.addrs ?? []) if (!now.some((a) => a.text === addr.text)) this.#settle(addr, owner);
    for (const addr of now) this.#settle(addr, owner, say);
  }

  delete(owner: string): void {
    this.put(owner, undefined, 0);
  }

  /** Whose say counts for an address; undefined: nobody says anything. */
  ownerAt(addr: Addr): string | undefined {
    return lastOf(this.#byAddr.get(addr.text))?.owner;
  }

  owners(): IterableIterator<string> {
    return this.#byOwner.keys();
  }

  /** The owner says this of the address now; undefined: nothing. */
  #settle(addr: Addr, owner: string, say?: Say): void {
    const old = this.#byAddr.get(addr.text);
    const before = lastOf(old)?.facts;
    const others = listOf(old).filter((s) => s.owner !== owner);
    const says = say === undefined ? others : [...others, say].sort((a, b) => a.rank - b.rank);
    const [only] = says;
    if (only === undefined) this.#byAddr.delete(addr.text);
    else this.#byAddr.set(addr.text, says.length === 1 ? only : says);
    const now = says.at(-1)?.facts;
    if (now !== before) this.#listener(addr, now);
  }
}
