/** Expected refusals as values: the caller must branch on them. Unexpected failures are thrown instead. */

/** Either a value or the reason why there is none. */
export type Result<T, E = string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/** Wraps a value as a success. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

/** Wraps a reason as a refusal. */
export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/**
 * The value of a result that cannot be a refusal at this place.
 * @throws Error with the refusal's text; for literals and tests, never for outside input.
 */
export function unwrap<T, E>(result: Result<T, E>): T {
  if (result.ok) return result.value;
  throw new Error(`Unexpected refusal: ${String(result.error)}`);
}
