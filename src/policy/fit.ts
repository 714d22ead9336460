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

interface Block<V> {
  /** Values with which the block, as a whole, needs the fewest prefixes. */
  readonly best: ReadonlySet<V>;
  readonly halves: readonly [Block<V>, Block<V>] | undefined;
}

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

function blockOf<V>(pieces: readonly Piece<V>[], bits: number, length: number): Block<V> {
  const at = pieceAt(pieces, bits);
  const piece = pieces[at];
  if (piece === undefined) throw new RangeError("A function needs at least one piece");
  const size = 1 << (16 - length);
  if ((pieces[at + 1]?.first ?? 0x10000) >= bits + size) return { best: new Set([piece.value]), halves: undefined };
  const halves = [blockOf(pieces, bits, length + 1), blockOf(pieces, bits + size / 2, length + 1)] as const;
  const both = halves[0].best.intersection(halves[1].best);
  return { best: both.size > 0 ? both : halves[0].best.union(halves[1].best), halves };
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

/** Values that the whole could take by default without costing a prefix more. */
export function bestDefaults<V>(pieces: readonly Piece<V>[]): ReadonlySet<V> {
  return blockOf(pieces, 0, 0).best;
}

/** The prefixes, given what holds where none does. Values are compared by identity. */
export function fitPrefixes<V>(pieces: readonly Piece<V>[], inherited: V): FittedPrefix<V>[] {
  const out: FittedPrefix<V>[] = [];
  emit(out, blockOf(pieces, 0, 0), 0, 0, inherited);
  return out;
}
