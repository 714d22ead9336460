/**
 * Numbers for names: a hash of the name, and where another has that one already, the next hash. So a restarted agent
 * and other nodes come to the same numbers without asking anybody (but for the few that collide: those are kept by who
 * finds them in the kernel, see `preferred`).
 */

import { hash32 } from "../base/hash.ts";

/** See the file's comment. */
export class Numbers {
  readonly #byName = new Map<string, number>();
  readonly #taken = new Set<number>();
  readonly #released = new Set<string>();

  /** How many names have one. */
  get size(): number {
    return this.#byName.size;
  }

  /** A name's number, 1 … 2^32-1; the same until it is released. @param preferred taken for a new name when it is free */
  take(name: string, preferred?: number): number {
    const known = this.#byName.get(name);
    this.#released.delete(name);
    if (known !== undefined) return known;
    const number = preferred !== undefined && this.#isFree(preferred) ? preferred : this.#find(name);
    this.#byName.set(name, number);
    this.#taken.add(number);
    return number;
  }

  get(name: string): number | undefined {
    return this.#byName.get(name);
  }

  /** Gives a name's number back with the next {@link settle}: until then rows may stand that say it. */
  release(name: string): void {
    this.#released.add(name);
  }

  /** What was released is free. */
  settle(): void {
    for (const name of this.#released) {
      const number = this.#byName.get(name);
      if (number !== undefined) this.#taken.delete(number);
      this.#byName.delete(name);
    }
    this.#released.clear();
  }

  #isFree(number: number): boolean {
    return number !== 0 && !this.#taken.has(number);
  }

  #find(name: string): number {
    for (let attempt = 0; ; attempt++) {
      const number = hash32(name, attempt);
      if (this.#isFree(number)) return number;
    }
  }
}
