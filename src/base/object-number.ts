/**
 * Numbers for objects, so that what is known of several of them together is kept by a text and not in weak maps: a whole
 * collection has to go through each weak map again and again, and nothing else runs meanwhile.
 */

import { remembered } from "./remembered.ts";

let next = 1;
const given = remembered(() => next++);
/** Of objects that nothing can be added to: few. */
const ofSealed = new WeakMap<object, number>();

/** The same object has the same number, no two have one. */
export function objectNumber(of: object): number {
  if (Object.isExtensible(of)) return given(of);
  const number = ofSealed.get(of) ?? given(of);
  if (!ofSealed.has(of)) ofSealed.set(of, number);
  return number;
}
