/**
 * Sharing of equal values between parsed objects. Thirty thousand pods have a few hundred distinct label sets,
 * namespaces and node names; kept once each, they cost nothing.
 */

import type { Addr } from "../net/addr.ts";

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
  /** Addresses of a pod as its row has them; none: it is not known. */
  podAddrs(namespace: string, name: string): readonly Addr[];
}

const NO_ADDRS: readonly Addr[] = [];

type Entries = readonly (readonly [string, string])[];

/** FNV-1a over UTF-16 code units, from another text's hash on. */
function hashFrom(h: number, text: string): number {
  let hash = h;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ 0xffff, 0x01000193);
}

const hashOf = (entries: Entries) =>
  entries.reduce((h, [key, value]) => hashFrom(hashFrom(h, key), value), 0x811c9dc5 | 0);

/** In the same order. */
function isSame(labels: Labels, entries: Entries): boolean {
  if (labels.size !== entries.length) return false;
  let i = 0;
  for (const [key, value] of labels) {
    const entry = entries[i++];
    if (entry?.[0] !== key || entry[1] !== value) return false;
  }
  return true;
}

/** An interner with at most `maxEntries` values of each kind. @param podAddrs what rows of pods have */
export function createInterner(maxEntries = 16_384, podAddrs: Interner["podAddrs"] = () => NO_ADDRS): Interner {
  const strings = new Map<string, string>();
  const values = new Map<string, object>();
  /** By the hash of their entries: texts to find them by would be as large as the labels. Of two with one hash the later is kept. */
  const labelSets = new Map<number, Labels>();
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
      const hash = hashOf(entries);
      const known = labelSets.get(hash);
      // A set with a key twice is not found again: nobody is harmed.
      if (known !== undefined && isSame(known, entries)) return known;
      if (labelSets.size >= maxEntries) labelSets.clear();
      const made = new Map(entries);
      labelSets.set(hash, made);
      return made;
    },
    share,
    podAddrs,
  };
}
