/** Names for things that are the same number or string but not the same thing. */

declare const brand: unique symbol;

/** `T` that only its one checking constructor can make. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
