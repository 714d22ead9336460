/** What is made once for each object and stays with it: texts, mostly. */

/**
 * What was made is kept at the object, where nobody sees it and no copy has it. A weak map of a hundred thousand objects is copied
 * whole whenever it has grown or shrunk by enough, in the middle of whatever is being done.
 * @param make what nobody changes later gives the same for ever
 */
export function remembered<K extends object, V extends {}>(make: (of: K) => V): (of: K) => V {
  const slot = Symbol("remembered");
  return (of) => {
    const known = (of as { readonly [slot]?: V })[slot];
    if (known !== undefined) return known;
    const value = make(of);
    if (Object.isExtensible(of)) Object.defineProperty(of, slot, { value });
    return value;
  };
}
