/**
 * Sharing of equal values between parsed objects. Thirty thousand pods have a few hundred distinct label sets,
 * namespaces and node names; kept once each, they cost nothing.
 */

/** Labels or annotations: iteration order is the object's own. */
export type Labels = ReadonlyMap<string, string>;

/** The label set of an object that has none. */
export const NO_LABELS: Labels = new Map();

/** Gives back an equal, earlier value where there is one. Bounded: a full table is emptied and filled anew. */
export interface Interner {
  string(value: string): string;
  labels(entries: readonly (readonly [string, string])[]): Labels;
  /** Shares any immutable value by a text that equal values have in common. */
  share<T extends object>(text: string, make: () => T): T;
}

/** An interner with at most `maxEntries` values of each kind. */
export function createInterner(maxEntries = 16_384): Interner {
  const strings = new Map<string, string>();
  const values = new Map<string, object>();
  function share<T extends object>(text: string, make: () => T): T {
    // The text starts with a tag of its kind, so that a hit is of the caller's type.
    const known = values.get(text) as T | undefined;
    if (known !== undefined) return known;
    if (values.size >= maxEntries) values.clear();
    const made = make();
    values.set(text, made);
    return made;
  }
  return {
    string(value) {
      const known = strings.get(value);
      if (known !== undefined) return known;
      if (strings.size >= maxEntries) strings.clear();
      strings.set(value, value);
      return value;
    },
    labels(entries) {
      if (entries.length === 0) return NO_LABELS;
      return share(`labels ${JSON.stringify(entries)}`, () => new Map(entries));
    },
    share,
  };
}
