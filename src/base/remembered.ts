/** Texts that are made once for each object and stay with it. */

/**
 * The text is kept at the object, where nobody sees it and no copy has it. A weak map of a hundred thousand objects is copied
 * whole whenever it has grown or shrunk by enough, in the middle of whatever is being done.
 * @param make what nobody changes later gives the same text for ever
 */
export function rememberedText<K extends object>(make: (of: K) => string): (of: K) => string {
  const slot = Symbol("text");
  return (of) => {
    const known = (of as { readonly [slot]?: string })[slot];
    if (known !== undefined) return known;
    const value = make(of);
    if (Object.isExtensible(of)) Object.defineProperty(of, slot, { value });
    return value;
  };
}
