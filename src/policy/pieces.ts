/**
 * Long lists that are made of each other. A change of one element in ten thousand copies the piece that it lies in, not all
 * of it: references that live until the next change are what the collector of old garbage is called for.
 */

/** What a long list is to who reads it. Arrays are such, too. */
export interface List<T> extends Iterable<T> {
  readonly length: number;
}

/** As `Array.sort` wants it. */
export type Compare<T> = (a: T, b: T) => number;

/** A piece has at most so many elements; one that would have more becomes two. */
const PIECE = 128;

interface Place {
  readonly piece: number;
  /** In the piece. */
  readonly at: number;
}

/** A list in pieces, none of which is empty. It is never changed. */
export class Pieces<T> implements List<T> {
  readonly length: number;
  readonly #pieces: readonly (readonly T[])[];

  private constructor(pieces: readonly (readonly T[])[], length: number) {
    this.#pieces = pieces;
    this.length = length;
  }

  static of<T>(items: Iterable<T>): Pieces<T> {
    const all = Array.isArray(items) ? (items as readonly T[]) : [...items];
    const pieces: T[][] = [];
    for (let at = 0; at < all.length; at += PIECE) pieces.push(all.slice(at, at + PIECE));
    return new Pieces(pieces, all.length);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const piece of this.#pieces) for (const item of piece) yield item;
  }

  /** With the item at the end. */
  plus(item: T): Pieces<T> {
    const last = this.#pieces.length - 1;
    return this.#put({ piece: last, at: this.#pieces[last]?.length ?? 0 }, item);
  }

  /** With the item behind those that are equal to it. The list is in that order. */
  insert(item: T, compare: Compare<T>): Pieces<T> {
    return this.#put(this.#placeBehind(item, compare), item);
  }

  /** Without the item, wherever it is. The same list when it has it not. */
  minus(item: T): Pieces<T> {
    for (const [piece, items] of this.#pieces.entries()) {
      const at = items.indexOf(item);
      if (at >= 0) return this.#take({ piece, at });
    }
    return this;
  }

  /** The same for a list that is in that order. */
  remove(item: T, compare: Compare<T>): Pieces<T> {
    let { piece, at } = this.#placeBehind(item, compare);
    for (;;) {
      at--;
      while (at < 0 && piece > 0) at = (this.#pieces[--piece] as readonly T[]).length - 1;
      const found = this.#pieces[piece]?.[at];
      if (at < 0 || found === undefined) return this;
      if (found === item) return this.#take({ piece, at });
      if (compare(found, item) !== 0) return this;
    }
  }

  /** Behind all that are not greater. */
  #placeBehind(item: T, compare: Compare<T>): Place {
    const isBehind = (other: T | undefined) => other !== undefined && compare(other, item) <= 0;
    // The last piece that begins with one of those, or the first.
    const piece = Math.max(0, firstWhere(this.#pieces.length, (i) => !isBehind(this.#pieces[i]?.[0])) - 1);
    const items = this.#pieces[piece] ?? [];
    return { piece, at: firstWhere(items.length, (i) => !isBehind(items[i])) };
  }

  #put({ piece, at }: Place, item: T): Pieces<T> {
    const items = this.#pieces[piece];
    if (items === undefined) return new Pieces([[item]], 1);
    const next = items.toSpliced(at, 0, item);
    const half = next.length >> 1;
    const made = next.length > PIECE ? [next.slice(0, half), next.slice(half)] : [next];
    return new Pieces(this.#pieces.toSpliced(piece, 1, ...made), this.length + 1);
  }

  #take({ piece, at }: Place): Pieces<T> {
    const next = (this.#pieces[piece] ?? []).toSpliced(at, 1);
    const pieces = next.length === 0 ? this.#pieces.toSpliced(piece, 1) : this.#pieces.with(piece, next);
    return new Pieces(pieces, this.length - 1);
  }
}

/** The first number below `end` for which it holds, or `end`. It holds for all behind the first. */
function firstWhere(end: number, holds: (i: number) => boolean): number {
  let [low, high] = [0, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Several lists as one, of which nothing is copied. */
export class Joined<T> implements List<T> {
  readonly length: number;
  readonly #parts: readonly List<T>[];

  constructor(parts: readonly List<T>[]) {
    this.#parts = parts;
    this.length = parts.reduce((sum, part) => sum + part.length, 0);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const part of this.#parts) yield* part;
  }
}
