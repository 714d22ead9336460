/** Lists that are kept. */

/**
 * The same list with room for what it has and no more: one that grew by `push` has room for seventeen when it has one, and an agent keeps a
 * hundred thousand short ones.
 */
export function exact<T>(list: readonly T[]): T[] {
  return list.slice();
}
