/** Numbers for texts: the same text keeps its number while it is in use, and a number is never given twice. */

/** Gives numbers. A process that gave a million every second would need an hour to use them up. */
export interface Numbers {
  numberOf(text: string): number;
  /** Forgets the texts whose numbers are not in use: they would get new ones. */
  keep(isInUse: (number: number) => boolean): void;
  /** Forgets one text. */
  forget(text: string): void;
  readonly size: number;
}

/**
 * @param first the lowest number that is given
 * @throws RangeError from `numberOf` when 32 bits are used up
 */
export function createNumbers(first: number): Numbers {
  const known = new Map<string, number>();
  let next = first;
  return {
    numberOf(text) {
      const old = known.get(text);
      if (old !== undefined) return old;
      if (next > 0xffff_ffff) throw new RangeError("All numbers of 32 bits are used up: start the agent anew");
      known.set(text, next);
      return next++;
    },
    keep(isInUse) {
      for (const [text, number] of known) if (!isInUse(number)) known.delete(text);
    },
    forget: (text) => void known.delete(text),
    get size() {
      return known.size;
    },
  };
}
