/**
 * What is known of each address, by who says it. Two may say something of one address for a while, as when it goes from a
 * pod that ends to one that begins; the say of the higher rank counts, and among equals the latest.
 */

import type { Addr } from "../net/addr.ts";
import type { AddressFacts } from "./rule.ts";

/** Told of what counts for an address; undefined: nobody says anything any more. */
export type FactListener = (addr: Addr, facts: AddressFacts | undefined) => void;

interface Say {
  readonly owner: string;
  readonly rank: number;
  readonly facts: readonly AddressFacts[];
}

/** One owner's say, as it nearly always is, or several by rising weight. */
type Says = Say | readonly Say[];

const listOf = (says: Says | undefined): readonly Say[] => (says === undefined ? [] : "owner" in says ? [says] : says);

/** The say that counts. */
const lastOf = (says: Says | undefined): Say | undefined => listOf(says).at(-1);

function factsAt(says: Says | undefined, addr: Addr): AddressFacts | undefined {
  return lastOf(says)?.facts.find((f) => f.addr.text === addr.text);
}

/** See the file's comment. */
export class FactTable {
  readonly #byAddr = new Map<string, Says>();
  readonly #byOwner = new Map<string, Say>();
  readonly #listener: FactListener;

  constructor(listener: FactListener) {
    this.#listener = listener;
  }

  /** All that an owner says, instead of what it said before. @param rank higher counts more */
  put(owner: string, facts: readonly AddressFacts[], rank: number): void {
    const before = this.#byOwner.get(owner);
    if (before?.facts === facts) return;
    const say: Say = { owner, rank, facts };
    if (facts.length === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, say);
    const isKept = (addr: Addr) => facts.some((f) => f.addr.text === addr.text);
    for (const { addr } of before?.facts ?? []) if (!isKept(addr)) this.#settle(addr, owner);
    for (const { addr } of facts) this.#settle(addr, owner, say);
  }

  delete(owner: string): void {
    this.put(owner, [], 0);
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
    const before = factsAt(old, addr);
    const others = listOf(old).filter((s) => s.owner !== owner);
    const says = say === undefined ? others : [...others, say].sort((a, b) => a.rank - b.rank);
    const [only] = says;
    if (only === undefined) this.#byAddr.delete(addr.text);
    else this.#byAddr.set(addr.text, says.length === 1 ? only : says);
    const now = factsAt(says, addr);
    if (now !== before) this.#listener(addr, now);
  }
}
