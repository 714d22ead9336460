/** Sets of which there are tens of thousands with a few members each. */

/** Up to so many are kept in a list, which is looked through. */
const MOST_LISTED = 32;

const NONE: readonly never[] = [];

/**
 * A set in a third of a `Set`'s memory as long as it is small. Whoever goes through it does not see what comes or
 * goes meanwhile.
 */
export class CompactSet<T> implements Iterable<T> {
  #members: readonly T[] | Set<T> = NONE;

  get size(): number {
    return isList(this.#members) ? this.#members.length : this.#members.size;
  }

  add(member: T): this {
    const members = this.#members;
    if (!isList(members)) members.add(member);
    else if (members.includes(member)) return this;
    // Joined, it has room for what it has and no more.
    else if (members.length < MOST_LISTED) this.#members = members.concat([member]);
    else this.#members = new Set(members).add(member);
    return this;
  }

  /** @returns whether it was a member */
  delete(member: T): boolean {
    const members = this.#members;
    if (!isList(members)) {
      const had = members.delete(member);
      if (members.size <= MOST_LISTED / 2) this.#members = [...members].slice();
      return had;
    }
    const at = members.indexOf(member);
    if (at >= 0) this.#members = members.length === 1 ? NONE : members.toSpliced(at, 1);
    return at >= 0;
  }

  [Symbol.iterator](): Iterator<T> {
    return isList(this.#members) ? this.#members[Symbol.iterator]() : [...this.#members][Symbol.iterator]();
  }
}

function isList<T>(members: readonly T[] | Set<T>): members is readonly T[] {
  return Array.isArray(members);
}
