/**
 * The fewest prefixes that say what a function of 16 bits says (Draves et al., "Constructing Optimal IP Routing
 * Tables", 1999, for ports instead of addresses). The function is given in pieces.
 */

/** The function's value from `first` up to the next piece, or to 65535. */
export interface Piece<V> {
  /** Ascending; the first piece begins at 0. */
  readonly first: number;
  readonly value: V;
}

/** `value` for all numbers whose `length` leading bits of 16 are those of `bits`, unless a longer prefix says else. */
export interface FittedPrefix<V> {
  readonly bits: number;
  readonly length: number;
  readonly value: V;
}

/** What fits a function. */
export interface Fit<V> {
  /** Values that the whole could take by default without costing a prefix more. */
  readonly best: Iterable<V>;
  /** The prefixes, given what holds where none does. Values are compared by identity. */
  prefixes(inherited: V): readonly FittedPrefix<V>[];
}

interface Block<V> {
  /** Values with which the block, as a whole, needs the fewest prefixes. */
  readonly best: ReadonlySet<V>;
  readonly halves: readonly [Block<V>, Block<V>] | undefined;
}

/** Of a value that all of a block has, one block is enough. */
type Whole<V> = Map<V, Block<V>>;

/** Index of the piece that holds the number. */
function pieceAt<V>(pieces: readonly Piece<V>[], n: number): number {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((pieces[middle]?.first ?? Number.POSITIVE_INFINITY) <= n) low = middle;
    else high = middle - 1;
  }
  return low;
}

function wholeOf<V>(whole: Whole<V>, value: V): Block<V> {
  let block = whole.get(value);
  if (block === undefined) {
    block = { best: new Set([value]), halves: undefined };
    whole.set(value, block);
  }
  return block;
}

function bestOf<V>(a: ReadonlySet<V>, b: ReadonlySet<V>): ReadonlySet<V> {
  if (a === b) return a;
  const both = a.intersection(b);
  return both.size > 0 ? both : a.union(b);
}

function blockOf<V>(pieces: readonly Piece<V>[], bits: number, length: number, whole: Whole<V>): Block<V> {
  const at = pieceAt(pieces, bits);
  const piece = pieces[at];
  if (piece === undefined) throw new RangeError("A function needs at least one piece");
  const size = 1 << (16 - length);
  if ((pieces[at + 1]?.first ?? 0x10000) >= bits + size) return wholeOf(whole, piece.value);
  const low = blockOf(pieces, bits, length + 1, whole);
  const high = blockOf(pieces, bits + size / 2, length + 1, whole);
  return { best: bestOf(low.best, high.best), halves: [low, high] };
}

function emit<V>(out: FittedPrefix<V>[], block: Block<V>, bits: number, length: number, inherited: V): void {
  let value = inherited;
  if (!block.best.has(inherited)) {
    const [first] = block.best;
    // A block has one best value at least.
    value = first as V;
    out.push({ bits, length, value });
  }
  if (block.halves === undefined) return;
  emit(out, block.halves[0], bits, length + 1, value);
  emit(out, block.halves[1], bits + (1 << (15 - length)), length + 1, value);
}

const NONE: readonly FittedPrefix<never>[] = [];

/** @param pieces at least one */
export function fitOf<V>(pieces: readonly Piece<V>[]): Fit<V> {
  const [first, second] = pieces;
  // What is the same everywhere, as for most protocols, needs no blocks.
  if (first !== undefined && second === undefined) {
    const { value } = first;
    return { best: [value], prefixes: (inherited) => (inherited === value ? NONE : [{ bits: 0, length: 0, value }]) };
  }
  const block = blockOf(pieces, 0, 0, new Map());
  return {
    best: block.best,
    prefixes(inherited) {
      const out: FittedPrefix<V>[] = [];
      emit(out, block, 0, 0, inherited);
      return out;
    },
  };
}
