/** One at a time for each name: a container's ADD and DEL never overlap, different containers do not wait. */

/** See the file's comment. */
export class Serial {
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #maxWaiting: number;
  #waiting = 0;

  /** @param maxWaiting bound of all works that wait behind another */
  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Works that wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether a work of this name would have to wait and there is no room left. */
  isFull(name: string): boolean {
    return this.#tails.has(name) && this.#waiting >= this.#maxWaiting;
  }

  /** Runs after everything of the same name that was asked before; at once, and synchronously, if there is nothing. */
  async run<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const before = this.#tails.get(name);
    const mine = before === undefined ? Promise.resolve(work()) : this.#after(before, work);
    const tail = mine.catch(() => {
      // Its own caller sees it: whoever comes next only waits for the end.
    });
    this.#tails.set(name, tail);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    }
  }

  async #after<T>(before: Promise<unknown>, work: () => T | Promise<T>): Promise<T> {
    this.#waiting++;
    try {
      await before;
    } finally {
      this.#waiting--;
    }
    return await work();
  }
}
