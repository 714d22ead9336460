/** Work that may take long, a few milliseconds at a time: between two slices everything else gets its turn. */

/** A slice at most, plus one step. */
const SLICE_MS = 4;
/** Between two slices: no more than a fifth of a CPU. */
const PAUSE_MS = 16;

/** Whether it is time to end a slice that begins now. */
export function sliceEnd(): () => boolean {
  const endMs = performance.now() + SLICE_MS;
  return () => performance.now() >= endMs;
}

/** See the file's comment. */
export class Slices implements Disposable {
  readonly #work: (isTime: () => boolean) => boolean;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param work does steps until it is time, at least one; must not throw. @returns whether nothing is left
   */
  constructor(work: (isTime: () => boolean) => boolean) {
    this.#work = work;
  }

  /** There is something to be done. Nothing happens when it is being done. */
  begin(): void {
    this.#timer ??= setTimeout(() => this.#slice(), PAUSE_MS);
  }

  #slice(): void {
    this.#timer = undefined;
    if (!this.#work(sliceEnd())) this.begin();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
